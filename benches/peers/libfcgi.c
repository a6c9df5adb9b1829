/*
 * libfcgi under load: libfcgi THREADS WORKLOAD
 *
 * Each thread accepts and answers one request after the other; no lock is held around the call,
 * since the library takes its own where the system needs one. What is answered is described in
 * benches/src/serving.rs.
 */
#include <fcgiapp.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char head[] = "Content-Type: text/plain\r\n\r\n";
static const char text[] =
    "\nis what was asked for; it is in the cart with 2 others, for 47.11 EUR\n";

enum { PAGE, BODY, UPLOAD } workload;
static char *body;
static int body_length;

static void answer(FCGX_Request *request)
{
    FCGX_PutStr(head, sizeof head - 1, request->out);
    if (workload == PAGE) {
        const char *value = FCGX_GetParam("REQUEST_URI", request->envp);
        FCGX_PutS(value ? value : "", request->out);
        FCGX_PutStr(text, sizeof text - 1, request->out);
    } else if (workload == BODY) {
        FCGX_PutStr(body, body_length, request->out);
    } else {
        static __thread char buffer[65536];
        long length = 0;
        int count;
        while ((count = FCGX_GetStr(buffer, sizeof buffer, request->in)) > 0)
            length += count;
        FCGX_FPrintF(request->out, "%ld", length);
    }
}

static void *serve(void *unused)
{
    FCGX_Request request;
    (void)unused;
    if (FCGX_InitRequest(&request, 0, 0) != 0)
        exit(1);
    while (FCGX_Accept_r(&request) == 0) {
        answer(&request);
        FCGX_Finish_r(&request);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    int threads = argc > 1 ? atoi(argv[1]) : 1;
    const char *what = argc > 2 ? argv[2] : "page";
    pthread_attr_t attributes;
    int i;

    if (strncmp(what, "body:", 5) == 0) {
        workload = BODY;
        body_length = atoi(what + 5);
        body = malloc(body_length);
        if (!body)
            return 1;
        for (i = 0; i < body_length; i++)
            body[i] = 'a' + i % 23;
    } else {
        workload = strcmp(what, "upload") == 0 ? UPLOAD : PAGE;
    }
    if (FCGX_Init() != 0)
        return 1;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 256 * 1024);
    for (i = 1; i < threads; i++) {
        pthread_t thread;
        if (pthread_create(&thread, &attributes, serve, NULL) != 0)
            return 1;
    }
    serve(NULL);
    return 0;
}
