//! Answers, as they are written.
//!
//! Must never: wait, or let a client's words end a line.

use super::request::Word;

/// What was answered, where it is not an error.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer<'a> {
    Status(&'a str),
    Integer(i64),
    Bulk(&'a [u8]),
    Nothing,
    Empty,
    Pair(&'static str, &'static str),
}

/// Appends an answer.
pub(crate) fn put(answer: &Answer<'_>, answers: &mut Vec<u8>) {
    match answer {
        Answer::Status(text) => {
            answers.push(b'+');
            answers.extend_from_slice(text.as_bytes());
        }
        Answer::Integer(number) => {
            answers.push(b':');
            number_to(*number, answers);
        }
        Answer::Bulk(bytes) => return bulk(bytes, answers),
        Answer::Nothing => answers.extend_from_slice(b"$-1"),
        Answer::Empty => answers.extend_from_slice(b"*0"),
        Answer::Pair(name, value) => {
            answers.extend_from_slice(b"*2\r\n");
            bulk(name.as_bytes(), answers);
            return bulk(value.as_bytes(), answers);
        }
    }
    answers.extend_from_slice(b"\r\n");
}

fn bulk(bytes: &[u8], answers: &mut Vec<u8>) {
    answers.push(b'$');
    number_to(i64::try_from(bytes.len()).unwrap_or(i64::MAX), answers);
    answers.extend_from_slice(b"\r\n");
    answers.extend_from_slice(bytes);
    answers.extend_from_slice(b"\r\n");
}

/// Appends a number. `write!` can do that as well, and takes longer.
pub(crate) fn number_to(number: i64, to: &mut Vec<u8>) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] += u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        to.push(b'-');
    }
    to.extend_from_slice(&digits[at..]);
}

/// Appends an error, which is a line.
pub(crate) fn error(why: &str, answers: &mut Vec<u8>) {
    answers.extend_from_slice(b"-ERR ");
    let line = why.bytes().map(|byte| match byte {
        b'\r' | b'\n' => b' ',
        other => other,
    });
    answers.extend(line);
    answers.extend_from_slice(b"\r\n");
}

/// As Redis says it, with as much of the request as helps.
pub(crate) fn unknown(name: &[u8], arguments: &[Word<'_>], answers: &mut Vec<u8>) {
    const MOST: usize = 128;
    let mut beginning = Vec::new();
    for argument in arguments {
        let Some(room @ 1..) = MOST.checked_sub(beginning.len()) else {
            break;
        };
        beginning.push(b'\'');
        beginning.extend(argument.iter().take(room));
        beginning.extend_from_slice(b"' ");
    }
    let name = String::from_utf8_lossy(&name[..name.len().min(MOST)]);
    let beginning = String::from_utf8_lossy(&beginning);
    error(
        &format!("unknown command '{name}', with args beginning with: {beginning}"),
        answers,
    );
}
