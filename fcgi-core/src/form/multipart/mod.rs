//! `multipart/form-data` bodies as they arrive: heads of parts, and the bytes between them
//! (RFC 7578, RFC 2046 §5.1).

mod boundary;
mod delimiter;
mod parser;
mod part;

pub use boundary::Boundary;
pub use parser::Parser;
pub use part::{Fields, PartHead, base_name};

/// What a [`Parser`] has to say.
#[derive(Clone, Copy, Debug)]
pub enum Event<'e> {
    /// A part begins.
    Part(PartHead<'e>),
    /// Bytes of its body, never none. They lie in the input, but for those of a line that looked
    /// like a delimiter: up to its boundary, or when the input before this one ended.
    Body(&'e [u8]),
    /// The body is whole.
    PartEnd,
    /// The form is whole. What follows is skipped.
    End,
}

/// How much of a form is taken; beyond it, it is refused.
///
/// A limit on the bytes that a whole request may have is better set on STDIN; `total` is here for
/// those who cannot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Parts. Default 1000.
    pub parts: usize,
    /// Bytes of the head of a part, with its line ends and the empty line. Default 8 KiB.
    pub head: usize,
    /// Fields in the head of a part. Default 16; browsers send two.
    pub fields: usize,
    /// Bytes of a part without a file name. Default 1 MiB.
    pub value: u64,
    /// Bytes of a part with a file name. Default 64 MiB.
    pub file: u64,
    /// Bytes of the form, with everything that is in it. Default 128 MiB.
    pub total: u64,
    /// Bytes before the first delimiter. Default 8 KiB; browsers send none.
    pub preamble: u64,
    /// Bytes behind the closing delimiter. Default 8 KiB; browsers send a line end.
    pub epilogue: u64,
    /// Whether LF alone ends a line as CRLF does, in heads and around delimiters. Off by default:
    /// RFC 2046 §4.1.1 does not allow it, and others may find other parts.
    pub bare_lf: bool,
}

impl Limits {
    /// The default limits.
    pub const DEFAULT: Self = Self {
        parts: 1000,
        head: 8 * 1024,
        fields: 16,
        value: 1024 * 1024,
        file: 64 * 1024 * 1024,
        total: 128 * 1024 * 1024,
        preamble: 8 * 1024,
        epilogue: 8 * 1024,
        bare_lf: false,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
