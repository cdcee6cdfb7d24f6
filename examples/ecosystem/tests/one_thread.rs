//! The promise: blocking crates, unchanged, by the thousand on one OS thread. Rustls and tungstenite serve a thousand
//! websockets at once; the thousand clients are on the same thread; and so are an agent of ureq and what it fetches.
//!
//! The only test of its file: it counts the threads of the process.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod support;

use std::cell::Cell;

use ecosystem::fetch;
use ecosystem::http::{self, Request};
use ecosystem::server::Server;
use ecosystem::tls::Identity;
use greenroom::sync::Barrier;
use greenroom::{run, scope};
use support::served;
use support::websocket::{close, connect, say};
use tungstenite::http::StatusCode;

const SOCKETS: usize = 1000;
const PAGES: usize = 50;

#[test]
fn a_thousand_at_once() {
    // Both ends of each connection are ours, and each is a descriptor.
    rlimit::increase_nofile_limit(3000).unwrap();
    let before = threads();
    // Nobody passes before everybody has been heard, and nobody leaves before everybody has passed.
    let (all_here, all_done) = (Barrier::new(SOCKETS + PAGES), Barrier::new(SOCKETS + PAGES));
    let most = Cell::new(0);
    let answer = |request: &Request| {
        all_here.wait();
        all_done.wait();
        http::text(StatusCode::OK, request.uri().path())
    };
    let clients = |server: &Server, identity: &Identity| {
        let (config, address) = (identity.client().unwrap(), server.local_addr().unwrap());
        let agent = fetch::agent(identity.certificate());
        scope(|s| {
            for i in 0..SOCKETS {
                let (config, most, all_here, all_done) = (&config, &most, &all_here, &all_done);
                s.spawn(move || {
                    let mut socket = connect(server, config);
                    say(&mut socket, format!("{i} is here"));
                    all_here.wait();
                    most.set(server.open().max(most.get()));
                    for round in 0..5 {
                        say(&mut socket, format!("{i}, round {round}"));
                    }
                    all_done.wait();
                    close(&mut socket);
                });
            }
            for page in 0..PAGES {
                let agent = &agent;
                s.spawn(move || {
                    let mut page = agent
                        .get(format!("https://{address}/{page}"))
                        .call()
                        .unwrap();
                    page.body_mut().read_to_string().unwrap()
                });
            }
        });
        assert_eq!(most.get(), SOCKETS + PAGES);
        assert_eq!(server.accepted(), SOCKETS + PAGES);
        assert_eq!(threads(), before, "a thread was started");
    };
    run(|| served(answer, clients));
}

/// How many OS threads this process has.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}
