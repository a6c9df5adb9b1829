//! The contents of GET_VALUES and GET_VALUES_RESULT (§4.1), read in pieces without keeping them.

use super::pair::length;

/// The variables that an application can be asked for (§4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Variable {
    MaxConns,
    MaxReqs,
    MpxsConns,
}

impl Variable {
    pub(crate) const ALL: [Variable; 3] =
        [Variable::MaxConns, Variable::MaxReqs, Variable::MpxsConns];

    pub(crate) const fn name(self) -> &'static [u8] {
        match self {
            Variable::MaxConns => b"FCGI_MAX_CONNS",
            Variable::MaxReqs => b"FCGI_MAX_REQS",
            Variable::MpxsConns => b"FCGI_MPXS_CONNS",
        }
    }

    pub(crate) const fn mask(self) -> u8 {
        match self {
            Variable::MaxConns => 1,
            Variable::MaxReqs => 2,
            Variable::MpxsConns => 4,
        }
    }

    /// The only variable whose name has this many bytes: the three lengths differ.
    fn of_length(length: u32) -> Option<Variable> {
        match length {
            14 => Some(Variable::MaxConns),
            13 => Some(Variable::MaxReqs),
            15 => Some(Variable::MpxsConns),
            _ => None,
        }
    }
}

/// What the scanner saw in a piece of content.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'i> {
    /// Bytes of the value of a known variable.
    Value(&'i [u8]),
    /// A pair with a known name is complete.
    Pair(Variable),
}

/// Walks a stream of pairs that may be cut anywhere and finds those with a known name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scanner(State);

#[derive(Clone, Copy, Debug)]
enum State {
    Lengths {
        bytes: [u8; 8],
        filled: u8,
    },
    Name {
        left: u32,
        value: u32,
        candidate: Option<Variable>,
    },
    Value {
        left: u32,
        variable: Option<Variable>,
    },
}

impl Scanner {
    pub(crate) const fn new() -> Scanner {
        Scanner(State::Lengths {
            bytes: [0; 8],
            filled: 0,
        })
    }

    /// Eats from the front of `content` up to the next finding; `None` when all is eaten.
    pub(crate) fn next<'i>(&mut self, content: &mut &'i [u8]) -> Option<Found<'i>> {
        loop {
            match &mut self.0 {
                State::Lengths { bytes, filled } => {
                    let (&byte, rest) = content.split_first()?;
                    *content = rest;
                    if let Some(place) = bytes.get_mut(usize::from(*filled)) {
                        *place = byte;
                    }
                    *filled = filled.saturating_add(1);
                    let collected = bytes.get(..usize::from(*filled)).unwrap_or_default();
                    if let Ok((name, value)) = lengths(collected) {
                        let candidate = Variable::of_length(name);
                        self.0 = State::Name {
                            left: name,
                            value,
                            candidate,
                        };
                    }
                }
                State::Name {
                    left: 0,
                    value,
                    candidate,
                } => {
                    self.0 = State::Value {
                        left: *value,
                        variable: *candidate,
                    };
                }
                State::Name {
                    left, candidate, ..
                } => {
                    let piece = take(content, left)?;
                    if !candidate.is_some_and(|variable| continues(variable, piece, *left)) {
                        *candidate = None;
                    }
                }
                State::Value { left: 0, variable } => {
                    let variable = variable.take();
                    *self = Scanner::new();
                    if let Some(variable) = variable {
                        return Some(Found::Pair(variable));
                    }
                }
                State::Value { left, variable } => {
                    let piece = take(content, left)?;
                    if variable.is_some() {
                        return Some(Found::Value(piece));
                    }
                }
            }
        }
    }
}

/// Both lengths of a pair, once they are complete.
fn lengths(bytes: &[u8]) -> Result<(u32, u32), nom::Err<()>> {
    let (rest, name) = length(bytes)?;
    let (_, value) = length(rest)?;
    Ok((name, value))
}

/// Takes up to `left` bytes from the front of `content` and lowers `left` by as many; `None` when
/// there are none.
fn take<'i>(content: &mut &'i [u8], left: &mut u32) -> Option<&'i [u8]> {
    let wanted = usize::try_from(*left).unwrap_or(usize::MAX);
    let (piece, rest) = content.split_at(wanted.min(content.len()));
    *content = rest;
    *left = left.saturating_sub(u32::try_from(piece.len()).unwrap_or(u32::MAX));
    (!piece.is_empty()).then_some(piece)
}

/// Whether `piece` is the part of the variable's name that ends `left` bytes before its end.
fn continues(variable: Variable, piece: &[u8], left: u32) -> bool {
    let seen = usize::try_from(left)
        .ok()
        .and_then(|left| variable.name().len().checked_sub(left));
    let expected = seen.and_then(|seen| variable.name().get(..seen));
    expected.is_some_and(|expected| expected.ends_with(piece))
}
