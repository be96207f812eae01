//! A network between two programs of one machine: what is sent one way arrives a while later, as it does in the field.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// How long what is dialled waits for each piece: a local network's delay.
const DELAY: Duration = Duration::from_millis(5);

/// Opens a port whose connections lead to `port`, and says which it is. It stays open until the program ends.
pub(crate) fn from(port: u16) -> u16 {
    let near = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let ours = near.local_addr().unwrap().port();
    thread::spawn(move || {
        for dialled in near.incoming() {
            // Whoever dials while nobody listens is hung up, and tries again.
            let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else {
                continue;
            };
            join(dialled.unwrap(), far).unwrap();
        }
    });
    ours
}

fn join(near: TcpStream, far: TcpStream) -> io::Result<()> {
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let (from_near, to_far) = (near.try_clone()?, far.try_clone()?);
    thread::spawn(move || carry(from_near, to_far, DELAY));
    thread::spawn(move || carry(far, near, Duration::ZERO));
    Ok(())
}

/// Carries all that comes until one end closes or fails, and tells the other.
fn carry(mut from: TcpStream, mut to: TcpStream, delay: Duration) {
    let mut piece = [0; 16_384];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        thread::sleep(delay);
        if to.write_all(&piece[..length]).is_err() {
            break;
        }
    }
    // The other end may be gone already.
    let _ = to.shutdown(Shutdown::Write);
}
