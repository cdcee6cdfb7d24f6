//! Files of a directory: whole, in parts, and none that lies elsewhere.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

use super::http_server::connection::Limits;
use super::http_server::files::open_below;
use super::http_server::site::Site;
use super::{Example, Server};

/// A directory of its own for a test.
fn directory(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("http_server-{name}"));
    drop(fs::remove_dir_all(&path));
    let root = path.join("root");
    fs::create_dir_all(root.join("sub")).unwrap();
    fs::write(path.join("outside.txt"), "secret").unwrap();
    fs::write(root.join("index.html"), "<p>hello</p>").unwrap();
    fs::write(root.join("sub/index.html"), "<p>sub</p>").unwrap();
    fs::write(root.join("sub/a page.txt"), "0123456789").unwrap();
    fs::write(root.join("empty"), "").unwrap();
    fs::write(root.join("\u{f}"), "odd").unwrap();
    symlink("loop", root.join("loop")).unwrap();
    fs::write(root.join(".hidden"), "secret").unwrap();
    symlink(path.join("outside.txt"), root.join("link.txt")).unwrap();
    symlink(&path, root.join("up")).unwrap();
    symlink("sub/a page.txt", root.join("inside.txt")).unwrap();
    root.canonicalize().unwrap()
}

fn served(root: PathBuf, client: impl FnOnce(&mut Client)) {
    let server = Server::with(Site { root: Some(root) }, 1, Limits::default());
    client(&mut Client(BufReader::new(server.connect())));
}

/// A client that keeps its connection.
struct Client(BufReader<TcpStream>);

struct Answer {
    status: u16,
    head: Vec<String>,
    body: String,
}

impl Client {
    fn ask(&mut self, method: &str, target: &str, field: &str) -> Answer {
        let request = format!("{method} {target} HTTP/1.1\r\nHost: here\r\n{field}\r\n");
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        let lines = (&mut self.0).lines().map(Result::unwrap);
        let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
        let length = field_of(&head, "Content-Length").unwrap().parse().unwrap();
        let mut body = vec![0; if method == "HEAD" { 0 } else { length }];
        self.0.read_exact(&mut body).unwrap();
        Answer {
            status: super::status(&head[0]),
            head,
            body: String::from_utf8(body).unwrap(),
        }
    }

    fn get(&mut self, target: &str) -> Answer {
        self.ask("GET", target, "")
    }
}

fn field_of<'a>(head: &'a [String], name: &str) -> Option<&'a str> {
    let mut fields = head.iter().filter_map(|line| line.split_once(": "));
    fields.find(|field| field.0 == name).map(|field| field.1)
}

#[test]
fn files_are_served_by_their_names() {
    served(directory("names"), |client| {
        for (target, kind, body) in [
            ("/", "text/html; charset=utf-8", "<p>hello</p>"),
            ("/index.html", "text/html; charset=utf-8", "<p>hello</p>"),
            ("/sub/?a", "text/html; charset=utf-8", "<p>sub</p>"),
            ("/sub/", "text/html; charset=utf-8", "<p>sub</p>"),
            (
                "/sub/a%20page.txt?x=y",
                "text/plain; charset=utf-8",
                "0123456789",
            ),
            (
                "/sub%2Fa%20p%61ge.txt",
                "text/plain; charset=utf-8",
                "0123456789",
            ),
            (
                "/sub/./a%20page.txt",
                "text/plain; charset=utf-8",
                "0123456789",
            ),
            ("/inside.txt", "text/plain; charset=utf-8", "0123456789"),
            ("/empty", "application/octet-stream", ""),
            ("/%0F", "application/octet-stream", "odd"),
            ("http://here/empty", "application/octet-stream", ""),
            (
                "HTTP://here:80/inside.txt?http://",
                "text/plain; charset=utf-8",
                "0123456789",
            ),
            ("http://here", "text/html; charset=utf-8", "<p>hello</p>"),
            (
                "http://here?/empty",
                "text/html; charset=utf-8",
                "<p>hello</p>",
            ),
        ] {
            let answer = client.get(target);
            assert_eq!(
                (answer.status, answer.body.as_str()),
                (200, body),
                "{target}"
            );
            assert_eq!(
                field_of(&answer.head, "Content-Type"),
                Some(kind),
                "{target}"
            );
            let asked_for_head = client.ask("HEAD", target, "");
            assert_eq!(asked_for_head.head, answer.head, "{target}");
            let of_a_part = client.ask("HEAD", target, "Range: bytes=0-1\r\n");
            assert_eq!(of_a_part.head, answer.head, "{target}");
        }
        for (target, place) in [("/sub", "/sub/"), ("/sub?a=/", "/sub/?a=/")] {
            let answer = client.get(target);
            assert_eq!(answer.status, 301, "{target}");
            assert_eq!(field_of(&answer.head, "Location"), Some(place));
        }
        assert_eq!(client.ask("DELETE", "/index.html", "").status, 405);
        assert_eq!(client.get("/nothing").status, 404);
        assert_eq!(client.ask("HEAD", "/nothing", "").status, 404);
        assert_eq!(client.get("/index.html/more").status, 404);
    });
}

#[test]
fn nothing_outside_of_the_directory_is_served() {
    let root = directory("outside");
    let outside = root.with_file_name("outside.txt");
    assert_eq!(fs::read_to_string(&outside).unwrap(), "secret");
    served(root, |client| {
        let absolute = outside.to_str().unwrap();
        for target in [
            "/../outside.txt",
            "/sub/../../outside.txt",
            "/sub/../index.html",
            "/%2e%2e/outside.txt",
            "/..%2foutside.txt",
            "/%2E%2E%2Foutside.txt",
            "/..%5coutside.txt",
            "/link.txt",
            "/up/outside.txt",
            "/up",
            "/.hidden",
            "/sub/../.hidden",
            "/index.html%00",
            "/%",
            "/%2",
            "/%zz",
            "/%ff",
            "/%+1",
            "/%+f",
            "/loop",
            &format!("/{}", "x".repeat(300)),
            &format!("/{}", "x/".repeat(3000)),
            "http://here/up/outside.txt",
            "http:///../outside.txt",
            "https://here/empty",
            &format!("/{absolute}"),
            &format!("/%2f{absolute}"),
        ] {
            let answer = client.get(target);
            assert_eq!(answer.status, 404, "{target}");
            assert!(!answer.body.contains("secret"), "{target}");
        }
    });
}

/// The moment between the look at a path and its opening: what was looked at is a link by now.
#[test]
fn what_became_a_link_meanwhile_is_not_served() {
    let root = directory("race");
    assert!(open_below(&root, &root.join("sub/a page.txt")).is_ok());
    for path in ["link.txt", "up/outside.txt"] {
        let path = root.join(path);
        assert_eq!(fs::read_to_string(&path).unwrap(), "secret");
        assert!(open_below(&root, &path).is_err(), "{}", path.display());
    }
}

#[test]
fn parts_of_a_file() {
    served(directory("parts"), |client| {
        let mut ask = |range: &str| {
            let field = format!("Range: {range}\r\n");
            let answer = client.ask("GET", "/sub/a%20page.txt", &field);
            let part = field_of(&answer.head, "Content-Range").map(str::to_owned);
            (answer.status, part.unwrap_or_default(), answer.body)
        };
        for (range, part, body) in [
            ("bytes=0-3", "bytes 0-3/10", "0123"),
            ("bytes=4-", "bytes 4-9/10", "456789"),
            ("bytes=-3", "bytes 7-9/10", "789"),
            ("bytes=8-100", "bytes 8-9/10", "89"),
            ("bytes=-100", "bytes 0-9/10", "0123456789"),
            ("bytes=5-18446744073709551615", "bytes 5-9/10", "56789"),
        ] {
            assert_eq!(
                ask(range),
                (206, part.to_owned(), body.to_owned()),
                "{range}"
            );
        }
        for range in ["bytes=10-", "bytes=-0", "bytes=99-100"] {
            let none = (416, "bytes */10".to_owned(), String::new());
            assert_eq!(ask(range), none, "{range}");
        }
        for range in [
            "bytes=",
            "bytes=-",
            "bytes=3-1",
            "bytes=+1-2",
            "lines=1-2",
            "bytes=0-1,3-4",
        ] {
            let all = (200, String::new(), "0123456789".to_owned());
            assert_eq!(ask(range), all, "{range}");
        }
    });
}

#[test]
fn a_large_file_comes_whole_or_the_connection_breaks() {
    let root = directory("large");
    let path = root.join("large.bin");
    let bytes: Vec<u8> = (0..5_000_003_u32).map(|n| (n % 251) as u8).collect();
    fs::write(&path, &bytes).unwrap();
    let server = Server::with(Site { root: Some(root) }, 2, Limits::default());
    let request = "GET /large.bin HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n";
    let mut client = server.connect();
    client.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert!(answer.ends_with(&bytes));
    assert!(answer.len() < bytes.len() + 500);

    // Far more than is under way when it becomes shorter.
    // Nothing that is not of the file may stand where it was to stand.
    let file = File::options().write(true).open(&path).unwrap();
    file.set_len(100_000_000).unwrap();
    let mut client = server.connect();
    let two = format!("{}{request}", request.replace("Connection: close\r\n", ""));
    client.write_all(two.as_bytes()).unwrap();
    client.read_exact(&mut vec![0; 1_000_000]).unwrap();
    file.set_len(1_000_000).unwrap();
    let mut rest = Vec::new();
    let ended = client.read_to_end(&mut rest);
    assert!(rest.len() < 99_000_000, "{} {ended:?}", rest.len());
    assert!(!rest.windows(8).any(|bytes| bytes == b"HTTP/1.1"));
}

/// Whatever the size of the file, and however many ask for it and take nothing.
#[test]
fn who_takes_nothing_of_a_file_takes_no_memory_either() {
    let root = directory("memory");
    let file = File::create(root.join("huge.bin")).unwrap();
    file.set_len(1 << 30).unwrap();
    let example = Example::with(&["41", "--root", root.to_str().unwrap()]);
    let quick = || {
        let mut stream = example.connect();
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("<p>hello</p>"));
    };
    quick();
    let before = example.most_memory();
    let deaf: Vec<_> = (0..39)
        .map(|_| {
            let mut stream = example.connect();
            stream.write_all(b"GET /huge.bin HTTP/1.0\r\n\r\n").unwrap();
            stream.read_exact(&mut [0; 100]).unwrap();
            stream
        })
        .collect();
    std::thread::park_timeout(Duration::from_millis(300));
    quick();
    let grown = example.most_memory() - before;
    // Besides the connections there are the threads that read files.
    assert!(grown < 39 * 80 + 2048, "{grown} KiB");
    drop(deaf);
}
