//! The active requests of one connection: four bytes each, in storage of fixed capacity.

use heapless::vec::VecView;

use crate::exchange::Exchange;
use crate::wire::RequestId;

/// An active request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    id: RequestId,
    exchange: Exchange,
}

/// The table with its capacity erased, so that the logic exists once for all capacities.
pub(crate) type Table = VecView<Entry, u16>;

/// The table of a connection for up to `N` requests.
pub(crate) type TableOf<const N: usize> = heapless::Vec<Entry, N, u16>;

/// Finds an active request. Looks at every active request at most once.
#[inline]
pub(crate) fn find(table: &Table, id: RequestId) -> Option<&Exchange> {
    table
        .iter()
        .find(|entry| entry.id == id)
        .map(|entry| &entry.exchange)
}

/// As [`find`], to change it.
#[inline]
pub(crate) fn find_mut(table: &mut Table, id: RequestId) -> Option<&mut Exchange> {
    table
        .iter_mut()
        .find(|entry| entry.id == id)
        .map(|entry| &mut entry.exchange)
}

/// Makes an id active; the caller has seen that it is not. `false` when the table is full.
#[must_use]
pub(crate) fn insert(table: &mut Table, id: RequestId, exchange: Exchange) -> bool {
    table.push(Entry { id, exchange }).is_ok()
}

/// Makes an id inactive; what it was.
#[inline]
pub(crate) fn remove(table: &mut Table, id: RequestId) -> Option<Exchange> {
    let last = *table.last()?;
    let place = table.iter_mut().find(|entry| entry.id == id)?;
    // The last one takes its place, unless it was that itself.
    let removed = core::mem::replace(place, last);
    table.pop();
    Some(removed.exchange)
}

/// The smallest id that is not active (§3.3: ids are kept small).
pub(crate) fn smallest_free_id(table: &Table) -> Option<RequestId> {
    (1..=u16::MAX)
        .filter_map(RequestId::new)
        .find(|&id| find(table, id).is_none())
}

/// The active ids, in no particular order.
pub(crate) fn ids(table: &Table) -> impl Iterator<Item = RequestId> {
    table.iter().map(|entry| entry.id)
}
