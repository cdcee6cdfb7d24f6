//! A peer that sends for ever and never reads.

use std::io::{self, Write};
use std::time::Duration;

use greenroom::net::{TcpListener, TcpStream};
use greenroom::{run, spawn};

use crate::resident;
use crate::support::{case, rerun};

/// Far more than the system's buffers hold.
const PLENTY: usize = 1 << 30;
/// What a server may use meanwhile, in KiB.
const GROWTH: usize = 4 * 1024;

#[test]
fn memory_is_bounded_when_a_peer_never_reads() {
    if case().is_none() {
        return rerun(
            "deaf::memory_is_bounded_when_a_peer_never_reads",
            "child",
            &[],
        )
        .assert_success();
    }
    run(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let echo = spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut writer = stream.try_clone().unwrap();
            io::copy(&mut stream, &mut writer)
        });
        let mut client = TcpStream::connect(address).unwrap();
        client
            .set_write_timeout(Some(Duration::from_millis(300)))
            .unwrap();
        let block = vec![7; 1 << 16];
        let before = resident();
        let mut sent = 0;
        let end = loop {
            match client.write(&block) {
                Ok(count) => sent += count,
                Err(error) => break error,
            }
            assert!(sent < PLENTY, "nobody holds it back");
        };
        // The echo waits for room, so it does not read, so the client waits as well.
        assert_eq!(end.kind(), io::ErrorKind::TimedOut);
        assert!(!echo.is_finished());
        assert!(
            resident() <= before + GROWTH,
            "{before} KiB before, {} KiB after",
            resident()
        );
        // What was taken comes back when somebody reads, and no more.
        client.shutdown(greenroom::net::Shutdown::Write).unwrap();
        let back = io::copy(&mut client, &mut io::sink()).unwrap();
        assert_eq!(back, u64::try_from(sent).unwrap());
        assert_eq!(echo.join().unwrap().unwrap(), back);
    });
}
