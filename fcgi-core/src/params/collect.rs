//! Gathering the pieces of a PARAMS stream.

use core::mem;

use super::Params;
use crate::error::Refusal;
use crate::storage::Storage;

/// What an application takes as parameters of one request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of the whole stream, lengths included.
    pub bytes: usize,
    /// Number of pairs.
    pub pairs: usize,
}

impl Default for Limits {
    /// 256 KiB and 1024 pairs.
    fn default() -> Self {
        Limits {
            bytes: 256 * 1024,
            pairs: 1024,
        }
    }
}

/// The part of a [`Collector`]'s work that lives only as long as one input slice: a piece of the
/// stream, held where it lies.
///
/// Make one for each slice that is given to `receive`, and give it back with [`Collector::keep`]
/// when the slice is used up.
#[derive(Debug, Default)]
#[must_use = "what is held is lost unless it is kept or finished"]
pub struct Held<'i> {
    bytes: &'i [u8],
}

impl Held<'_> {
    /// Nothing held yet.
    pub const fn new() -> Self {
        Held { bytes: &[] }
    }
}

/// Gathers the PARAMS stream of one request, without a copy as long as it lies in one piece.
///
/// ```text
///   Params{bytes} ──► push ──► Held (borrows the input slice)
///                                │ a second piece, or the end of the slice
///                                ▼
///                              storage (the caller's: fixed, or growing up to the limit)
///   ParamsEnd ─────► finish ─► Params over whichever of the two holds it
/// ```
///
/// ```
/// use fcgi_core::application::{Connection, Event};
/// use fcgi_core::params::{Collector, Held, Limits};
///
/// # fn f(connection: &mut Connection<1>, mut rest: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
/// let mut collector = Collector::new(heapless::Vec::<u8, 4096>::new(), Limits::default());
/// // for each slice of input:
/// let mut held = Held::new();
/// while let Some(event) = connection.receive(&mut rest)? {
///     match event {
///         Event::Params { bytes, .. } => collector.push(&mut held, bytes)?,
///         Event::ParamsEnd { .. } => {
///             let params = collector.finish(&mut held)?;
///             println!("{:?}", params.get("REQUEST_METHOD"));
///         }
///         _ => {}
///     }
/// }
/// collector.keep(held)?;
/// # Ok(())
/// # }
/// # f(&mut Connection::new(), &[]).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Collector<S> {
    storage: S,
    limits: Limits,
    /// Bytes that the storage and a new piece may have together: `limits.bytes`, but none once the
    /// stream in the storage was finished, so that no piece of another one is added to it.
    room: usize,
}

impl<S: Storage> Collector<S> {
    /// A collector with nothing in it. A stream has up to `limits.bytes`, and one that does not lie
    /// in one piece no more than the storage has room for.
    pub fn new(mut storage: S, limits: Limits) -> Self {
        storage.clear();
        Collector {
            storage,
            limits,
            room: limits.bytes,
        }
    }

    /// Takes a piece of the stream.
    ///
    /// # Errors
    ///
    /// [`Refusal::ParamsTooLong`] at the first piece that goes over the limit; give it to `refuse`
    /// and [`clear`](Collector::clear) the collector.
    #[inline]
    pub fn push<'i>(&mut self, held: &mut Held<'i>, piece: &'i [u8]) -> Result<(), Refusal> {
        if !held.bytes.is_empty() {
            self.store(mem::take(&mut held.bytes))?;
        }
        let stored = self.storage.as_bytes().len();
        if stored.saturating_add(piece.len()) > self.room {
            self.begin_anew(piece)?;
        }
        held.bytes = piece;
        Ok(())
    }

    /// Copies what is held into the storage: the slice that it borrows is used up.
    ///
    /// # Errors
    ///
    /// [`Refusal::ParamsTooLong`] when the storage is full; as for [`push`](Collector::push).
    #[inline]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "kept bytes must not be held any more"
    )]
    pub fn keep(&mut self, held: Held<'_>) -> Result<(), Refusal> {
        if held.bytes.is_empty() {
            Ok(())
        } else {
            self.store(held.bytes)
        }
    }

    /// The stream has ended: checks it whole and yields its pairs, from the slice if they lie there
    /// in one piece, else from the storage. What comes afterwards is another stream.
    ///
    /// # Errors
    ///
    /// [`Refusal::MalformedParams`], [`Refusal::TooManyParams`], or [`Refusal::ParamsTooLong`] when
    /// the storage is full. Nobody sees half a stream.
    #[inline]
    pub fn finish<'s, 'i: 's>(&'s mut self, held: &mut Held<'i>) -> Result<Params<'s>, Refusal> {
        let held = mem::take(&mut held.bytes);
        if self.storage.as_bytes().is_empty() {
            return Params::parse(held, self.limits.pairs);
        }
        if self.is_finished() {
            self.clear();
        }
        self.room = 0;
        self.store(held)?;
        Params::parse(self.storage.as_bytes(), self.limits.pairs)
    }

    /// Forgets what is stored, for the next request. What is [`Held`] of a request that is given up
    /// before its end has to be dropped as well.
    pub fn clear(&mut self) {
        self.storage.clear();
        self.room = self.limits.bytes;
    }

    /// The storage, with what has been kept of the stream.
    pub fn into_storage(self) -> S {
        self.storage
    }

    /// Bytes in the storage.
    #[must_use]
    pub fn stored(&self) -> usize {
        self.storage.as_bytes().len()
    }

    fn store(&mut self, piece: &[u8]) -> Result<(), Refusal> {
        self.storage.append(piece).map_err(|_| self.too_long())
    }

    /// Whether what is in the storage is the stream of an earlier request.
    fn is_finished(&self) -> bool {
        self.room < self.limits.bytes
    }

    /// There is no room for a piece: either it is the first one after a stream that was finished,
    /// or it is too long.
    #[cold]
    fn begin_anew(&mut self, piece: &[u8]) -> Result<(), Refusal> {
        if !self.is_finished() || piece.len() > self.limits.bytes {
            return Err(self.too_long());
        }
        self.clear();
        Ok(())
    }

    fn too_long(&self) -> Refusal {
        Refusal::ParamsTooLong {
            limit: self.limits.bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const STREAM: &[u8] = b"\x01\x01Ab\x02\x01CCd";

    #[test]
    fn one_piece_is_not_copied() {
        let mut collector = Collector::new(heapless::Vec::<u8, 0>::new(), Limits::default());
        let mut held = Held::new();
        collector.push(&mut held, STREAM).unwrap();
        let params = collector.finish(&mut held).unwrap();
        assert_eq!(params.as_bytes().as_ptr(), STREAM.as_ptr());
        assert_eq!(params.get("CC"), Some(&b"d"[..]));
    }

    #[test]
    fn any_cut_in_slices_and_pieces_gives_the_same_pairs() {
        for first in 0..=STREAM.len() {
            for second in first..=STREAM.len() {
                for keep in 0..4 {
                    let pieces = [&STREAM[..first], &STREAM[first..second], &STREAM[second..]];
                    let storage = heapless::Vec::<u8, 16>::new();
                    let mut collector = Collector::new(storage, Limits { bytes: 9, pairs: 2 });
                    let mut held = Held::new();
                    for (at, piece) in pieces.into_iter().enumerate() {
                        collector.push(&mut held, piece).unwrap();
                        if keep & (1 << at) != 0 {
                            collector.keep(mem::take(&mut held)).unwrap();
                        }
                    }
                    let params = collector.finish(&mut held).unwrap();
                    assert_eq!(params.as_bytes(), STREAM, "{first} {second} {keep}");
                }
            }
        }
    }

    #[test]
    fn limits_hold_at_the_border() {
        let long = Err(Refusal::ParamsTooLong { limit: 8 });
        let limits = Limits { bytes: 8, pairs: 9 };
        let mut collector = Collector::new(heapless::Vec::<u8, 99>::new(), limits);
        assert_eq!(collector.push(&mut Held::new(), &[0; 9]), long);
        let mut held = Held::new();
        collector.push(&mut held, &[0; 8]).unwrap();
        assert_eq!(collector.push(&mut held, &[0; 1]), long);
        collector.keep(held).unwrap();
        assert_eq!(collector.push(&mut Held::new(), &[0; 1]), long);
        collector.clear();
        let mut held = Held::new();
        collector.push(&mut held, &[0; 8]).unwrap();
        assert_eq!(collector.finish(&mut held).unwrap().iter().count(), 4);
    }

    #[test]
    fn a_full_storage_is_a_limit_too() {
        let mut collector = Collector::new(heapless::Vec::<u8, 8>::new(), Limits::default());
        let mut held = Held::new();
        collector.push(&mut held, STREAM).unwrap();
        assert!(matches!(
            collector.keep(held),
            Err(Refusal::ParamsTooLong { .. })
        ));
    }

    #[test]
    fn half_a_pair_is_never_seen() {
        let mut collector = Collector::new(Vec::new(), Limits::default());
        for cut in [1, 2, 3, 5, 8] {
            let mut held = Held::new();
            collector.push(&mut held, &STREAM[..cut]).unwrap();
            let at = if cut < 4 { 0 } else { 4 };
            assert_eq!(
                collector.finish(&mut held),
                Err(Refusal::MalformedParams { at })
            );
        }
    }
}
