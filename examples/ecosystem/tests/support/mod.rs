//! What the tests share: a server for as long as somebody talks to it, on the same thread as those who do.

#![allow(dead_code, reason = "each test file uses a part of this")]

pub(crate) mod websocket;

use ecosystem::http::{Request, Response};
use ecosystem::server::Server;
use ecosystem::tls::Identity;
use greenroom::scope;

/// Serves while `clients` run, in tasks of this thread. Whoever blocked the thread would wait for ever: nobody would
/// be left to answer.
pub(crate) fn served<T>(
    app: impl Fn(&Request) -> Response,
    clients: impl FnOnce(&Server, &Identity) -> T,
) -> T {
    let identity = Identity::localhost().unwrap();
    let server = Server::bind("127.0.0.1:0", &identity).unwrap();
    serve(&server, app, || clients(&server, &identity))
}

/// The same with a server that is there already.
pub(crate) fn serve<T>(
    server: &Server,
    app: impl Fn(&Request) -> Response,
    clients: impl FnOnce() -> T,
) -> T {
    scope(|s| {
        let serving = s.spawn(|| server.serve(app));
        let result = clients();
        server.end();
        serving.join().unwrap();
        result
    })
}
