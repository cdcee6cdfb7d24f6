//! The server, to be used by hand.
//!
//! ```text
//! cargo run --release --bin server                      # on 127.0.0.1:8443, until a line is typed
//! cargo run --release --bin server -- 127.0.0.1:9443
//! curl -k https://127.0.0.1:8443/
//! curl -k https://127.0.0.1:8443/echo -d 'say this'
//! ```
//!
//! In a browser, `https://127.0.0.1:8443/` has a page that opens a websocket and talks to it, once the
//! certificate, which is made anew each time, has been waved through.

#![expect(clippy::print_stdout, reason = "programs talk to people")]

use std::{env, io};

use ecosystem::http::{self, Request, Response};
use ecosystem::server::Server;
use ecosystem::tls::Identity;
use greenroom::{run, spawn};
use tungstenite::http::header::{CONTENT_TYPE, HeaderValue};
use tungstenite::http::{Method, StatusCode};

const PAGE: &str = r#"<!doctype html><title>echo</title><input autofocus><pre></pre><script>
const socket = new WebSocket(`wss://${location.host}/`), [input, pre] = document.body.children;
socket.onmessage = ({data}) => pre.append(data + "\n");
socket.onclose = ({reason}) => pre.append(reason + "\n");
input.onchange = () => { socket.send(input.value); input.value = ""; };
</script>"#;

fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or("127.0.0.1:8443".to_owned());
    rlimit::increase_nofile_limit(rlimit::INFINITY)?;
    run(move || {
        let server = std::rc::Rc::new(Server::bind(address, &Identity::localhost()?)?);
        println!("listening on https://{}/", server.local_addr()?);
        let operated = server.clone();
        spawn(move || {
            // A closed stdin is nobody who could say a word.
            let mut line = String::new();
            let typed = greenroom::io::stdin().read_line(&mut line);
            if typed.is_ok_and(|bytes| bytes > 0) {
                operated.end();
            }
        });
        server.serve(answer)
    })
}

fn answer(request: &Request) -> Response {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => {
            let mut page = http::text(StatusCode::OK, PAGE);
            let html = HeaderValue::from_static("text/html; charset=utf-8");
            page.headers_mut().insert(CONTENT_TYPE, html);
            page
        }
        (_, "/echo") => Response::new(request.body().clone()),
        _ => http::text(StatusCode::NOT_FOUND, "nothing here\n"),
    }
}
