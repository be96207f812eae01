//! How the memory of a process that serves many peers is laid out.

use rustix::thread::disable_transparent_huge_pages;

/// Has the system use small pages only. Buffers of very many peers, each hardly filled, would else take
/// two megabytes at a time: what somebody merely announces would take as much as what he sends.
///
/// For the whole process; to be called before much is allocated. Where it is refused all goes on, with
/// more memory.
pub(crate) fn prefer_small_pages() {
    if let Err(error) = disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "huge pages cannot be switched off");
    }
}
