//! `fcgi-mio` under load: small and large answers from a closure, uploads by a task.

#![forbid(unsafe_code)]

use std::io;
use std::time::Duration;

use fcgi_benches::serving::{Arguments, PARAM, TEXT, Workload, body};
use fcgi_mio::{Handle, Plan, Request, Response, Server, Service, Settings, Task};

fn main() -> io::Result<()> {
    let arguments = Arguments::from_env().map_err(io::Error::other)?;
    let server = Server::inherited_or_bind(&arguments.listen)?
        .settings(Settings::new().idle_timeout(Duration::from_secs(3600)));
    let mut left = Left {
        requests: arguments.requests,
        handle: server.handle(),
    };
    match arguments.workload {
        Workload::Page => server.serve(move |request, response| {
            left.one_less();
            response.header("Content-Type", "text/plain")?;
            response.write(request.param(PARAM).unwrap_or_default())?;
            response.write(TEXT)
        }),
        Workload::Body(length) => {
            // Lives as long as the process.
            let body: &'static [u8] = body(length).leak();
            server.serve(move |_, response| {
                left.one_less();
                response.header("Content-Type", "text/plain")?;
                response.body(body)
            })
        }
        Workload::Upload => server.run(Uploads(left)),
    }
}

/// Stops the server when enough was served.
struct Left {
    requests: Option<u64>,
    handle: Handle,
}

impl Left {
    fn one_less(&mut self) {
        if let Some(requests) = &mut self.requests {
            *requests = requests.saturating_sub(1);
            if *requests == 0 {
                self.handle.stop(Duration::from_secs(1));
            }
        }
    }
}

struct Uploads(Left);

struct Upload(u64);

impl Service for Uploads {
    type Task = Upload;

    fn begin(&mut self, _: &Request<'_>) -> Plan<Upload> {
        self.0.one_less();
        Plan::Stream(Upload(0))
    }

    fn whole(&mut self, _: &Request<'_>, _: &mut Response<'_>) -> io::Result<()> {
        Err(io::Error::other("every request streams"))
    }
}

impl Task for Upload {
    fn input(&mut self, bytes: &[u8], _: &mut Response<'_>) -> io::Result<()> {
        self.0 += bytes.len() as u64;
        Ok(())
    }

    fn input_end(&mut self, response: &mut Response<'_>) -> io::Result<()> {
        response.header("Content-Type", "text/plain")?;
        response.write(self.0.to_string())?;
        response.end();
        Ok(())
    }
}
