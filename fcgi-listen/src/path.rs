//! The life of a socket's path: taking the place of a dead one, and going away in time.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process;

use socket2::{Domain, SockAddr, Socket, Type};

/// A path that a socket of this process is bound to. Dropping it removes the path, if it still is
/// the same socket and this still is the process that bound it (a forked child must not remove its
/// parent's socket). The socket has to be open then: that keeps the inode number from being used
/// again for somebody else's socket.
#[derive(Debug)]
pub(crate) struct BoundPath {
    // Absolute, as the working directory may change.
    path: PathBuf,
    inode: (u64, u64),
    process: u32,
}

impl BoundPath {
    /// Takes charge of a path that was just bound.
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let inode = inode(&fs::symlink_metadata(&path)?);
        Ok(Self {
            path,
            inode,
            process: process::id(),
        })
    }

    /// The path, absolute.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for BoundPath {
    fn drop(&mut self) {
        if self.process != process::id() {
            return;
        }
        if fs::symlink_metadata(&self.path).is_ok_and(|found| inode(&found) == self.inode) {
            // Nobody to tell; what is left behind is a stale socket, which the next start removes.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn inode(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Removes a socket that nobody listens on any more.
///
/// Only a refused connection proves that. Two programs that start at one path in the same instant
/// can still take each other for dead between their bind and their listen; nothing but a lock held
/// by both would prevent that.
///
/// # Errors
///
/// `AddrInUse`: the path is not a socket, or may have a listener.
pub(crate) fn remove_stale(path: &Path, address: &SockAddr) -> io::Result<()> {
    let in_use = |text: &str| Err(io::Error::new(io::ErrorKind::AddrInUse, text));
    let before = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !before.file_type().is_socket() {
        return in_use("the path exists and is not a socket");
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // Without blocking, as a live listener may have a full backlog.
    probe.set_nonblocking(true)?;
    match probe.connect(address) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Ok(()) => return in_use("another process listens there"),
        Err(_) => return in_use("the socket there may have a listener"),
    }
    match fs::symlink_metadata(path) {
        Ok(now) if inode(&now) == inode(&before) => fs::remove_file(path),
        Ok(_) => in_use("another process has just bound the path"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_child_does_not_remove_its_parents_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let _listener = UnixListener::bind(&path).unwrap();
        let mut bound = BoundPath::new(&path).unwrap();
        bound.process += 1;
        drop(bound);
        assert!(path.exists());
        drop(BoundPath::new(&path).unwrap());
        assert!(!path.exists());
    }

    #[test]
    fn somebody_elses_path_is_not_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let _first = UnixListener::bind(&path).unwrap();
        let bound = BoundPath::new(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let _second = UnixListener::bind(&path).unwrap();
        drop(bound);
        assert!(path.exists());
    }
}
