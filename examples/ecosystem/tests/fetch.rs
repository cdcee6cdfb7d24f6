//! The promise: one agent of ureq, unchanged, fetches many pages at once on one OS thread, over HTTPS and with its
//! own pool of connections; and the server it fetches them from is on the same thread.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod support;

use std::cell::RefCell;
use std::time::Duration;

use ecosystem::fetch;
use ecosystem::http::{self, Request, Response};
use ecosystem::server::Server;
use ecosystem::tls::Identity;
use greenroom::sync::{Barrier, Event};
use greenroom::{gather, run, timeout};
use support::served;
use tungstenite::http::StatusCode;
use tungstenite::http::header::{CONNECTION, HeaderValue};
use ureq::{Agent, Error, Timeout};

fn ok(body: impl Into<String>) -> Response {
    http::text(StatusCode::OK, body)
}

/// An agent that trusts this server.
fn agent(identity: &Identity) -> Agent {
    fetch::agent(identity.certificate())
}

/// A page's address.
fn url(server: &Server, page: usize) -> String {
    format!("https://{}/{page}", server.local_addr().unwrap())
}

fn get(agent: &Agent, url: &str) -> String {
    let mut response = agent.get(url).call().unwrap();
    response.body_mut().read_to_string().unwrap()
}

/// Fetches all of these, each in a task.
fn get_all(agent: &Agent, urls: &[String]) -> Vec<String> {
    let jobs = urls.iter().map(|url| || get(agent, url));
    gather(jobs.collect::<Vec<_>>())
}

#[test]
fn all_requests_are_under_way_before_one_is_answered() {
    const PAGES: usize = 100;
    let all_asked = Barrier::new(PAGES);
    let answer = |request: &Request| {
        all_asked.wait();
        ok(request.uri().path())
    };
    run(|| {
        served(answer, |server, identity| {
            let urls: Vec<_> = (0..PAGES).map(|page| url(server, page)).collect();
            let pages = get_all(&agent(identity), &urls);
            let expected: Vec<_> = (0..PAGES).map(|page| format!("/{page}")).collect();
            assert_eq!(pages, expected);
            assert_eq!(server.accepted(), PAGES);
        });
    });
}

#[test]
fn whoever_is_answered_first_is_done_first() {
    const PAGES: usize = 10;
    // Each page is let go by whoever has got the one behind it.
    let gates: Vec<_> = (0..=PAGES).map(|_| Event::new()).collect();
    let answer = |request: &Request| {
        let page: usize = request.uri().path()[1..].parse().unwrap();
        gates[page + 1].wait();
        ok("")
    };
    let done = RefCell::new(Vec::new());
    run(|| {
        gates[PAGES].set();
        served(answer, |server, identity| {
            let agent = agent(identity);
            let jobs = (0..PAGES).map(|page| {
                let (agent, done, gates) = (&agent, &done, &gates);
                move || {
                    get(agent, &url(server, page));
                    done.borrow_mut().push(page);
                    gates[page].set();
                }
            });
            gather(jobs.collect::<Vec<_>>());
        });
    });
    let backwards: Vec<_> = (0..PAGES).rev().collect();
    assert_eq!(done.into_inner(), backwards);
}

#[test]
fn connections_are_used_again() {
    run(|| {
        served(
            |_| ok("well"),
            |server, identity| {
                let agent = agent(identity);
                let urls: Vec<_> = (0..10).map(|page| url(server, page)).collect();
                for url in &urls {
                    get(&agent, url);
                }
                assert_eq!(server.accepted(), 1);
                for _ in 0..5 {
                    get_all(&agent, &urls);
                }
                assert!(server.accepted() <= 10, "{}", server.accepted());
            },
        );
    });
}

#[test]
fn connections_that_the_server_closes_are_not() {
    let last = |_: &Request| {
        let mut response = ok("");
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
        response
    };
    run(|| {
        served(last, |server, identity| {
            let agent = agent(identity);
            for page in 0..3 {
                get(&agent, &url(server, page));
            }
            assert_eq!(server.accepted(), 3);
        });
    });
}

#[test]
fn a_server_that_ended_is_not_asked_on_an_old_connection() {
    let identity = Identity::localhost().unwrap();
    let agent = agent(&identity);
    run(|| {
        let first = Server::bind("127.0.0.1:0", &identity).unwrap();
        let address = first.local_addr().unwrap();
        for server in [Some(first), None] {
            // The second is at the same address, and knows nothing of the first one's connections.
            let server = server.unwrap_or_else(|| Server::bind(address, &identity).unwrap());
            support::serve(&server, |_| ok(""), || get(&agent, &url(&server, 1)));
            assert_eq!(server.accepted(), 1);
        }
    });
}

#[test]
fn a_call_that_was_given_up_leaves_the_agent_whole() {
    let gate = Event::new();
    let answer = |request: &Request| {
        if request.uri().path() == "/1" {
            gate.wait();
        }
        ok("")
    };
    run(|| {
        served(answer, |server, identity| {
            let agent = agent(identity);
            let given_up = timeout(Duration::from_millis(200), || get(&agent, &url(server, 1)));
            assert!(given_up.is_err());
            for page in [2, 3] {
                get(&agent, &url(server, page));
            }
            // The connection in the middle of whose answer it was is not used again; the next one is.
            assert_eq!(server.accepted(), 2);
            gate.set();
        });
    });
}

#[test]
fn a_stranger_is_not_trusted() {
    run(|| {
        let agent = agent(&Identity::localhost().unwrap());
        served(
            |_| ok(""),
            |server, _| {
                let refused = agent.get(url(server, 1)).call().unwrap_err();
                assert!(refused.to_string().contains("certificate"), "{refused}");
            },
        );
    });
}

#[test]
fn names_are_looked_up() {
    run(|| {
        served(
            |_| ok("found"),
            |server, identity| {
                let port = server.local_addr().unwrap().port();
                let url = format!("https://localhost:{port}/");
                assert_eq!(get(&agent(identity), &url), "found");
            },
        );
    });
}

#[test]
fn time_limits_are_ureqs_own() {
    let gate = Event::new();
    let answer = |_: &Request| {
        gate.wait();
        ok("too late")
    };
    run(|| {
        served(answer, |server, identity| {
            let agent = agent(identity);
            let limited = agent.get(url(server, 1)).config();
            let limited = limited.timeout_recv_response(Some(Duration::from_millis(200)));
            let error = limited.build().call().unwrap_err();
            assert!(
                matches!(error, Error::Timeout(Timeout::RecvResponse)),
                "{error:?}"
            );
            gate.set();
        });
    });
}
