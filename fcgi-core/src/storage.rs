//! Where bytes are kept when a stream has to be collected: the caller's choice.

use heapless::LenType;

/// A store was asked to hold more bytes than it has room for; it is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StorageFull;

/// Bytes that are appended at the end, read as one slice, and taken back from the end.
///
/// `heapless::Vec<u8, N>` and `heapless::VecView<u8>` implement it with a fixed capacity; with the
/// `alloc` feature `Vec<u8>` does, and grows as bytes arrive, never on a length's word.
pub trait Storage {
    /// Appends all of `bytes`, or nothing.
    ///
    /// # Errors
    ///
    /// [`StorageFull`] when they do not fit; what was stored before stays.
    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageFull>;

    /// All bytes appended since the last [`clear`](Storage::clear).
    fn as_bytes(&self) -> &[u8];

    /// The same bytes, to be changed where they lie.
    fn as_mut_bytes(&mut self) -> &mut [u8];

    /// Forgets the bytes from `length` on and keeps the room for them; does nothing if there are no
    /// more than that.
    fn truncate(&mut self, length: usize);

    /// Forgets the bytes and keeps the room for them.
    fn clear(&mut self);
}

impl<S: Storage + ?Sized> Storage for &mut S {
    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageFull> {
        (**self).append(bytes)
    }

    fn as_bytes(&self) -> &[u8] {
        (**self).as_bytes()
    }

    fn as_mut_bytes(&mut self) -> &mut [u8] {
        (**self).as_mut_bytes()
    }

    fn truncate(&mut self, length: usize) {
        (**self).truncate(length);
    }

    fn clear(&mut self) {
        (**self).clear();
    }
}

impl<L, S> Storage for heapless::vec::VecInner<u8, L, S>
where
    L: LenType,
    S: heapless::vec::VecStorage<u8> + ?Sized,
{
    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageFull> {
        self.extend_from_slice(bytes).map_err(|_| StorageFull)
    }

    fn as_bytes(&self) -> &[u8] {
        self.as_slice()
    }

    fn as_mut_bytes(&mut self) -> &mut [u8] {
        self.as_mut_slice()
    }

    fn truncate(&mut self, length: usize) {
        heapless::vec::VecInner::truncate(self, length);
    }

    fn clear(&mut self) {
        heapless::vec::VecInner::clear(self);
    }
}

#[cfg(any(feature = "alloc", test))]
impl Storage for alloc::vec::Vec<u8> {
    #[inline]
    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageFull> {
        // A peer must not be able to choose an abort: running out of memory is the same as being
        // full.
        self.try_reserve(bytes.len()).map_err(|_| StorageFull)?;
        self.extend_from_slice(bytes);
        Ok(())
    }

    fn as_bytes(&self) -> &[u8] {
        self.as_slice()
    }

    fn as_mut_bytes(&mut self) -> &mut [u8] {
        self.as_mut_slice()
    }

    fn truncate(&mut self, length: usize) {
        alloc::vec::Vec::truncate(self, length);
    }

    fn clear(&mut self) {
        alloc::vec::Vec::clear(self);
    }
}
