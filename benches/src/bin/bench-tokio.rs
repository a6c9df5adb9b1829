//! tokio-fastcgi under load, in the shape of its documentation: a task for each connection, the
//! requests of a connection one after the other. One thread, as everything here shares one core.

#![forbid(unsafe_code)]

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::rc::Rc;

use fcgi_benches::serving::{Arguments, HEAD, PARAM, TEXT, Workload, body};
use rustix::net::{AddressFamily, getsockname};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::{LocalSet, spawn_local};
use tokio_fastcgi::{Error, Request, RequestResult, Requests};

fn main() -> io::Result<()> {
    let arguments = Arguments::from_env().map_err(io::Error::other)?;
    let listener = io::stdin().as_fd().try_clone_to_owned()?;
    let bytes: Rc<[u8]> = match arguments.workload {
        Workload::Body(length) => body(length).into(),
        Workload::Page | Workload::Upload => Rc::new([]),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let is_unix = getsockname(&listener)?.address_family() == AddressFamily::UNIX;
    LocalSet::new().block_on(&runtime, async move {
        if is_unix {
            let listener = StdUnixListener::from(listener);
            listener.set_nonblocking(true)?;
            let listener = UnixListener::from_std(listener)?;
            loop {
                let (stream, _) = listener.accept().await?;
                let (read, write) = stream.into_split();
                spawn_local(serve(read, write, arguments.workload, Rc::clone(&bytes)));
            }
        } else {
            let listener = std::net::TcpListener::from(listener);
            listener.set_nonblocking(true)?;
            let listener = TcpListener::from_std(listener)?;
            loop {
                let (stream, _) = listener.accept().await?;
                // It writes headers and contents apart.
                stream.set_nodelay(true)?;
                let (read, write) = stream.into_split();
                spawn_local(serve(read, write, arguments.workload, Rc::clone(&bytes)));
            }
        }
    })
}

async fn serve<R, W>(read: R, write: W, workload: Workload, bytes: Rc<[u8]>)
where
    R: AsyncRead + Unpin + Send,
    W: AsyncWrite + Unpin + Send,
{
    let mut requests = Requests::new(read, write, 255, 255);
    while let Ok(Some(request)) = requests.next().await {
        let answered = request.process(|request| {
            let bytes = Rc::clone(&bytes);
            async move {
                match answer(&request, workload, &bytes).await {
                    Ok(()) => RequestResult::Complete(0),
                    Err(_) => RequestResult::Complete(1),
                }
            }
        });
        if answered.await.is_err() {
            return;
        }
    }
}

async fn answer<W: AsyncWrite + Unpin + Send>(
    request: &Request<W>,
    workload: Workload,
    bytes: &[u8],
) -> Result<(), Error> {
    let mut stdout = request.get_stdout();
    match workload {
        Workload::Page => {
            let value = request.get_param(PARAM).map_or(&[][..], Vec::as_slice);
            stdout
                .write(&[HEAD.as_bytes(), value, TEXT.as_bytes()].concat())
                .await?;
        }
        Workload::Body(_) => {
            stdout.write(HEAD.as_bytes()).await?;
            stdout.write(bytes).await?;
        }
        Workload::Upload => {
            let mut length = 0;
            {
                let mut stdin = request.get_stdin();
                let mut buffer = [0; 65_536];
                while let count @ 1.. = stdin.read(&mut buffer)? {
                    length += count;
                }
            }
            stdout.write(format!("{HEAD}{length}").as_bytes()).await?;
        }
    }
    Ok(())
}
