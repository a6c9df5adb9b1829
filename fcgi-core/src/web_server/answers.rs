//! The content of GET_VALUES_RESULT (§4.1).

use super::Values;
use crate::wire::values::{Found, Scanner, Variable};

/// The numbers of a GET_VALUES_RESULT while it is read.
#[derive(Clone, Debug)]
pub(super) struct Answers {
    numbers: [u32; 3],
    /// Which of the numbers were said.
    said: u8,
    /// The value that is being read, and what it is so far.
    number: u32,
    form: Form,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    Empty,
    Digits,
    Invalid,
}

impl Answers {
    pub(super) const fn new() -> Answers {
        Answers {
            numbers: [0; 3],
            said: 0,
            number: 0,
            form: Form::Empty,
        }
    }

    pub(super) fn read(&mut self, scanner: &mut Scanner, mut content: &[u8]) {
        while let Some(found) = scanner.next(&mut content) {
            match found {
                Found::Value(bytes) => bytes.iter().for_each(|&byte| self.push(byte)),
                Found::Pair(variable) => self.pair(variable),
            }
        }
    }

    fn push(&mut self, byte: u8) {
        self.form = match (self.form, byte.checked_sub(b'0')) {
            (Form::Empty | Form::Digits, Some(digit @ 0..=9)) => {
                // A number that does not fit says "very many".
                self.number = self.number.saturating_mul(10).saturating_add(digit.into());
                Form::Digits
            }
            _ => Form::Invalid,
        };
    }

    fn pair(&mut self, variable: Variable) {
        let [max_conns, max_reqs, mpxs_conns] = &mut self.numbers;
        let place = match variable {
            Variable::MaxConns => max_conns,
            Variable::MaxReqs => max_reqs,
            Variable::MpxsConns => mpxs_conns,
        };
        if self.form == Form::Digits {
            *place = self.number;
            self.said |= variable.mask();
        }
        self.number = 0;
        self.form = Form::Empty;
    }

    pub(super) fn values(&self) -> Values {
        let [max_conns, max_reqs, mpxs_conns] = self.numbers;
        let said = |variable: Variable| self.said & variable.mask() != 0;
        Values {
            max_conns: said(Variable::MaxConns).then_some(max_conns),
            max_reqs: said(Variable::MaxReqs).then_some(max_reqs),
            mpxs_conns: said(Variable::MpxsConns).then_some(mpxs_conns != 0),
        }
    }
}
