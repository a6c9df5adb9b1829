//! `fcgi-mio` under load: small and large answers whole, uploads by a task.

#![forbid(unsafe_code)]

use std::io;
use std::time::Duration;

use fcgi_benches::serving::{Arguments, PARAM, TEXT, Workload, body};
use fcgi_mio::{Handle, Plan, Request, Response, Server, Service, Settings, Task};

fn main() -> io::Result<()> {
    let arguments = Arguments::from_env().map_err(io::Error::other)?;
    let server = Server::inherited_or_bind(&arguments.listen)?
        .settings(Settings::new().idle_timeout(Duration::from_secs(3600)));
    let app = App {
        // Lives as long as the process.
        body: match arguments.workload {
            Workload::Body(length) => Some(body(length).leak()),
            Workload::Page | Workload::Upload => None,
        },
        takes_uploads: arguments.workload == Workload::Upload,
        left: arguments.requests,
        handle: server.handle(),
    };
    server.run(app)
}

struct App {
    body: Option<&'static [u8]>,
    takes_uploads: bool,
    /// After how many requests to stop.
    left: Option<u64>,
    handle: Handle,
}

impl App {
    /// Stops the server when enough was served.
    fn one_less(&mut self) {
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.handle.stop(Duration::from_secs(1));
            }
        }
    }
}

impl Service for App {
    type Task = Upload;

    fn begin(&mut self, _: &Request<'_>) -> Plan<Upload> {
        self.one_less();
        if self.takes_uploads {
            Plan::Stream(Upload(0))
        } else {
            Plan::Whole
        }
    }

    fn whole(&mut self, request: &Request<'_>, response: &mut Response<'_>) -> io::Result<()> {
        response.header("Content-Type", "text/plain")?;
        if let Some(body) = self.body {
            return response.body(body);
        }
        response.write(request.param(PARAM).unwrap_or_default())?;
        response.write(TEXT)
    }
}

struct Upload(u64);

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
