//! The promise: whatever reads from a `Read` and writes to a `Write` waits for messages on greenroom's Unix sockets. Cap'n
//! Proto, the language server protocol and JSON, by their own crates, with no line between.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::io::{self, BufReader, Write};

use capnp::message::{Builder, ReaderOptions};
use capnp::{any_pointer, primitive_list, serialize, serialize_packed, text_list};
use greenroom::net::{Shutdown, UnixStream};
use greenroom::sync::Barrier;
use greenroom::{run, scope, yield_now};
use lsp_server::{Message, Notification, Request, Response};
use serde_json::{Deserializer, Value, json};

/// Answers a list of words by a list of their lengths, until there are no more.
fn measure(mut stream: &UnixStream) -> capnp::Result<()> {
    while let Some(question) = serialize::try_read_message(stream, ReaderOptions::new())? {
        let words: text_list::Reader<'_> = question.get_root()?;
        let mut answer = Builder::new_default();
        let root: any_pointer::Builder<'_> = answer.get_root()?;
        let mut lengths: primitive_list::Builder<'_, u32> = root.initn_as(words.len());
        for (i, word) in (0..).zip(words) {
            lengths.set(i, u32::try_from(word?.len()).unwrap_or(u32::MAX));
        }
        serialize::write_message(&mut stream, &answer)?;
    }
    Ok(())
}

fn ask(mut stream: &UnixStream, words: &[&str]) -> capnp::Result<Vec<u32>> {
    let mut question = Builder::new_default();
    let root: any_pointer::Builder<'_> = question.get_root()?;
    let mut list: text_list::Builder<'_> = root.initn_as(u32::try_from(words.len()).unwrap());
    for (i, word) in (0..).zip(words) {
        list.set(i, word);
    }
    serialize::write_message(&mut stream, &question)?;
    let answer = serialize::read_message(stream, ReaderOptions::new())?;
    let lengths: primitive_list::Reader<'_, u32> = answer.get_root()?;
    Ok(lengths.iter().collect())
}

#[test]
fn capnp_asks_and_answers() {
    const PAIRS: usize = 100;
    run(|| {
        let all_asked = Barrier::new(PAIRS);
        scope(|s| {
            for _ in 0..PAIRS {
                let (client, server) = UnixStream::pair().unwrap();
                s.spawn(move || measure(&server).unwrap());
                let all_asked = &all_asked;
                s.spawn(move || {
                    assert_eq!(ask(&client, &["cow", "", "pony"]).unwrap(), [3, 0, 4]);
                    all_asked.wait();
                    // Longer than the sockets hold.
                    let long = "x".repeat(300_000);
                    assert_eq!(ask(&client, &[long.as_str(); 2]).unwrap(), [300_000; 2]);
                });
            }
        });
    });
}

#[test]
fn capnp_packed_messages_come_in_pieces() {
    run(|| {
        let (mut client, server) = UnixStream::pair().unwrap();
        let mut message = Builder::new_default();
        message.set_root("to be continued").unwrap();
        let mut bytes = Vec::new();
        serialize_packed::write_message(&mut bytes, &message).unwrap();
        scope(|s| {
            let read = s.spawn(|| {
                let stream = BufReader::new(&server);
                let message = serialize_packed::read_message(stream, ReaderOptions::new()).unwrap();
                let text: capnp::text::Reader<'_> = message.get_root().unwrap();
                text.to_string().unwrap()
            });
            for byte in bytes {
                client.write_all(&[byte]).unwrap();
                yield_now();
            }
            assert_eq!(read.join(), "to be continued");
        });
    });
}

/// A language server that knows one thing.
fn language_server(stream: &UnixStream) -> io::Result<()> {
    let (mut input, mut output) = (BufReader::new(stream), stream);
    while let Some(message) = Message::read(&mut input)? {
        match message {
            Message::Request(Request { id, method, .. }) if method == "shutdown" => {
                Message::from(Response::new_ok(id, ())).write(&mut output)?;
            }
            Message::Request(Request { id, params, .. }) => {
                Message::from(Response::new_ok(id, json!({ "contents": params })))
                    .write(&mut output)?;
            }
            Message::Notification(Notification { method, .. }) if method == "exit" => break,
            Message::Notification(_) | Message::Response(_) => {}
        }
    }
    Ok(())
}

#[test]
fn a_language_server_answers() {
    run(|| {
        let (client, server) = UnixStream::pair().unwrap();
        scope(|s| {
            s.spawn(|| language_server(&server).unwrap());
            let (mut input, mut output) = (BufReader::new(&client), &client);
            for i in 0..10 {
                let hover = Request::new(i.into(), "textDocument/hover".into(), json!([i, "fn"]));
                Message::from(hover).write(&mut output).unwrap();
                let Some(Message::Response(response)) = Message::read(&mut input).unwrap() else {
                    panic!("something else than a response");
                };
                assert_eq!(response.id, i.into());
                assert_eq!(
                    response.response_result.unwrap(),
                    json!({ "contents": [i, "fn"] })
                );
            }
            let exit = Notification::new("exit".into(), ());
            Message::from(exit).write(&mut output).unwrap();
        });
    });
}

#[test]
fn json_is_read_as_it_comes() {
    run(|| {
        let (mut client, server) = UnixStream::pair().unwrap();
        scope(|s| {
            let sum = s.spawn(|| {
                Deserializer::from_reader(BufReader::new(&server))
                    .into_iter::<Value>()
                    .map(|value| value.unwrap()["n"].as_u64().unwrap())
                    .sum::<u64>()
            });
            for n in 0..100 {
                write!(client, "{}", json!({ "n": n })).unwrap();
                yield_now();
            }
            client.shutdown(Shutdown::Write).unwrap();
            assert_eq!(sum.join(), 4950);
        });
    });
}
