//! The bytes of requests: made by the protocol core once for each id, then sent again and again.

use std::rc::Rc;

use fcgi_core::params::{append, chunks};
use fcgi_core::web_server::Connection;
use fcgi_core::{Record, RequestId, Role, SendError};

use super::Plan;
use super::plan::MAX_DEPTH;

/// The one request of a plan, for each id.
pub(super) struct Requests {
    /// The contents of the records of PARAMS.
    params: Vec<Vec<u8>>,
    body: Vec<u8>,
    keep: bool,
    /// By id, as far as they were needed.
    made: Vec<Option<Rc<[u8]>>>,
}

impl Requests {
    /// `None` if a parameter is longer than a length of FastCGI can say (§3.4).
    pub(super) fn new(plan: &Plan) -> Option<Requests> {
        let mut stream = Vec::new();
        for (name, value) in &plan.params {
            append(&mut stream, name, value).ok()?;
        }
        Some(Requests {
            params: chunks(&stream).map(<[u8]>::to_vec).collect(),
            body: plan.body.clone(),
            keep: plan.keep,
            made: Vec::new(),
        })
    }

    /// Begins the request on `connection`, up to the end of its STDIN: its id, and all its bytes.
    ///
    /// # Errors
    ///
    /// [`SendError::Full`] when the connection has no room for it.
    pub(super) fn begin(
        &mut self,
        connection: &mut Connection<MAX_DEPTH>,
    ) -> Result<(RequestId, Rc<[u8]>), SendError> {
        let (id, begin) = connection.begin(Role::Responder, self.keep)?;
        let index = usize::from(id.get());
        if let Some(Some(made)) = self.made.get(index) {
            let made = Rc::clone(made);
            // The machine has to know all the same what is sent.
            self.send(connection, id, |_| ())?;
            return Ok((id, made));
        }
        let mut bytes = begin.to_vec();
        self.send(connection, id, |record| {
            for part in record.parts() {
                bytes.extend_from_slice(part);
            }
        })?;
        let made = Rc::<[u8]>::from(bytes);
        if self.made.len() <= index {
            self.made.resize(index + 1, None);
        }
        self.made[index] = Some(Rc::clone(&made));
        Ok((id, made))
    }

    fn send(
        &self,
        connection: &mut Connection<MAX_DEPTH>,
        id: RequestId,
        mut out: impl FnMut(&Record<'_>),
    ) -> Result<(), SendError> {
        for mut chunk in self.params.iter().map(Vec::as_slice) {
            while let Some(record) = connection.params(id, &mut chunk)? {
                out(&record);
            }
        }
        out(&connection.params_end(id)?);
        let mut body = self.body.as_slice();
        while let Some(record) = connection.stdin(id, &mut body)? {
            out(&record);
        }
        out(&connection.stdin_end(id)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fcgi_tests::hand;

    #[test]
    fn the_bytes_are_those_of_the_request_for_each_id() {
        let mut plan = Plan::new("127.0.0.1:1".parse().unwrap());
        plan.params = vec![(b"A".to_vec(), b"bc".to_vec()), (b"D".to_vec(), Vec::new())];
        plan.body = b"quantity=100".to_vec();
        let pairs = [("A", "bc"), ("D", "")];
        let mut requests = Requests::new(&plan).unwrap();
        for _ in 0..2 {
            let mut connection = Connection::new();
            for id in 1..=3 {
                let (begun, bytes) = requests.begin(&mut connection).unwrap();
                assert_eq!(begun.get(), id);
                let expected = hand::responder(id, hand::KEEP, &pairs, b"quantity=100");
                assert_eq!(*bytes, *hand::aligned(&expected));
            }
        }
    }
}
