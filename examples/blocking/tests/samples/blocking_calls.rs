//! Every call that the `clippy.toml` of `docs/blocking.md` disallows, for clippy to find.
//! It is never compiled into anything.

use std::io::Result;
use std::net::ToSocketAddrs;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::Duration;

pub fn threads(handle: std::thread::JoinHandle<()>) {
    std::thread::sleep(Duration::ZERO);
    std::thread::park();
    std::thread::park_timeout(Duration::ZERO);
    std::thread::scope(|_| ());
    let _ended = handle.join();
}

pub fn channels(receiver: &Receiver<u8>, sender: &SyncSender<u8>) {
    let _value = receiver.recv();
    let _soon = receiver.recv_timeout(Duration::ZERO);
    let _values = receiver.iter();
    let _sent = sender.send(1);
}

pub fn locks(mutex: &std::sync::Mutex<u8>, barrier: &std::sync::Barrier, condvar: &std::sync::Condvar) {
    barrier.wait();
    if let (Ok(a), Ok(b)) = (mutex.lock(), mutex.lock()) {
        let _woken = (condvar.wait(a), condvar.wait_while(b, |_| true));
    }
    if let (Ok(a), Ok(b)) = (mutex.lock(), mutex.lock()) {
        let _woken = condvar.wait_timeout(a, Duration::ZERO);
        let _woken = condvar.wait_timeout_while(b, Duration::ZERO, |_| true);
    }
}

pub fn others(_: &std::sync::RwLock<u8>, _: &std::sync::OnceLock<u8>, _: &std::sync::LazyLock<u8>) {}

pub fn sockets() -> Result<()> {
    for address in "localhost:80".to_socket_addrs()? {
        std::net::TcpStream::connect_timeout(&address, Duration::ZERO)?;
        std::net::TcpStream::connect(address)?;
    }
    std::net::TcpListener::bind("127.0.0.1:0")?;
    std::net::UdpSocket::bind("127.0.0.1:0")?;
    std::os::unix::net::UnixStream::connect("name")?;
    std::os::unix::net::UnixListener::bind("name")?;
    std::os::unix::net::UnixDatagram::bind("name")?;
    std::os::unix::net::UnixStream::pair()?;
    std::os::unix::net::UnixDatagram::pair()?;
    Ok(())
}

pub fn files(path: &std::path::Path) -> Result<()> {
    std::fs::read("name")?;
    std::fs::read_to_string("name")?;
    std::fs::write("name", "text")?;
    std::fs::copy("name", "other")?;
    std::fs::read_dir("name")?;
    std::fs::metadata("name")?;
    std::fs::create_dir_all("name")?;
    std::fs::remove_file("name")?;
    std::fs::remove_dir_all("name")?;
    std::fs::rename("name", "other")?;
    std::fs::symlink_metadata("name")?;
    std::fs::exists("name")?;
    std::fs::create_dir("name")?;
    std::fs::remove_dir("name")?;
    std::fs::hard_link("name", "other")?;
    std::fs::read_link("name")?;
    std::fs::set_permissions("name", path.metadata()?.permissions())?;
    std::fs::File::create_new("name")?;
    let _kinds = (path.exists(), path.is_file(), path.is_dir());
    path.read_dir()?;
    std::fs::canonicalize("name")?;
    std::fs::File::open("name")?;
    std::fs::File::create("name")?;
    std::fs::OpenOptions::new().open("name")?;
    Ok(())
}

pub fn processes(command: &mut std::process::Command) -> Result<()> {
    command.output()?;
    command.status()?;
    command.spawn()?.wait()?;
    command.spawn()?.wait_with_output()?;
    drop(std::io::stdin());
    Ok(())
}
