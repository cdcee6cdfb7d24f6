//! From bytes to words: a request is an array of strings, or a line.
//!
//! ```text
//! *2\r\n$3\r\nGET\r\n$3\r\ncow\r\n
//! GET cow\r\n
//! ```
//!
//! Must never: copy a word that can be pointed to, wait, or believe a length before it
//! has been compared with what is allowed.

use std::borrow::Cow;

/// The most a request may take altogether, in bytes. (Redis: 1 GB.)
pub(crate) const MOST_REQUEST: usize = 2 * 1024 * 1024;
/// The most a word may take. (Redis: 512 MB.)
pub(crate) const MOST_WORD: usize = 1024 * 1024;
/// How many words there may be. (Redis: a million.)
pub(crate) const MOST_WORDS: usize = 1024;
/// The most a line may take: of a request that is one, or that says a length.
pub(crate) const MOST_LINE: usize = 64 * 1024;

/// A word of a request. Only in lines are there words that cannot be pointed to.
pub(crate) type Word<'a> = Cow<'a, [u8]>;

/// Finds the words of the first request. How long it is; `None` while it has not arrived entirely.
pub(crate) fn parse<'a>(
    bytes: &'a [u8],
    words: &mut Vec<Word<'a>>,
) -> Result<Option<usize>, Cow<'static, str>> {
    words.clear();
    match bytes.first() {
        None => return Ok(None),
        Some(b'*') => {}
        Some(_) => return parse_line(bytes, words),
    }
    let Some((count, mut at)) = number(bytes, 1, "too big mbulk count string")? else {
        return Ok(None);
    };
    // None, and fewer, are no request.
    let count = usize::try_from(count.map_or(i64::MAX, |count| count.max(0)));
    let count = count.ok().filter(|count| *count <= MOST_WORDS);
    for _ in 0..count.ok_or("invalid multibulk length")? {
        match bytes.get(at) {
            None => return Ok(None),
            Some(b'$') => {}
            Some(other) => {
                let other = char::from(*other);
                return Err(format!("expected '$', got '{other}'").into());
            }
        }
        let Some((length, begin)) = number(bytes, at + 1, "too big bulk count string")? else {
            return Ok(None);
        };
        let length = length.and_then(|length| usize::try_from(length).ok());
        let length = length.filter(|length| *length <= MOST_WORD);
        let end = begin + length.ok_or("invalid bulk length")?;
        if end + 2 > MOST_REQUEST {
            return Err("too big request".into());
        }
        if bytes.len() < end + 2 {
            return Ok(None);
        }
        words.push(Cow::Borrowed(&bytes[begin..end]));
        at = end + 2;
    }
    Ok(Some(at))
}

/// The number in the line that begins there, if it is one, and where the next line begins.
type Number = Option<(Option<i64>, usize)>;

#[inline]
fn number(bytes: &[u8], begin: usize, too_long: &'static str) -> Result<Number, &'static str> {
    // Nearly all are of one digit or two.
    let rest = &bytes[begin..];
    let Some(end) = rest.iter().take(MOST_LINE).position(|byte| *byte == b'\r') else {
        return if rest.len() < MOST_LINE {
            Ok(None)
        } else {
            Err(too_long)
        };
    };
    if rest.len() < end + 2 {
        return Ok(None);
    }
    Ok(Some((integer(&rest[..end]), begin + end + 2)))
}

/// A number as Redis takes one: no sign but `-`, no zeros before it.
#[inline]
pub(crate) fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] => {}
        _ => return None,
    }
    digits.iter().try_fold(0_i64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| i64::from(digit - b'0'))?;
        let shifted = number.checked_mul(10)?;
        if negative {
            shifted.checked_sub(digit)
        } else {
            shifted.checked_add(digit)
        }
    })
}

/// A line is split at blanks; `"` and `'` hold words together, as in a shell.
fn parse_line<'a>(
    bytes: &'a [u8],
    words: &mut Vec<Word<'a>>,
) -> Result<Option<usize>, Cow<'static, str>> {
    let Some(end) = bytes.iter().take(MOST_LINE).position(|byte| *byte == b'\n') else {
        return if bytes.len() < MOST_LINE {
            Ok(None)
        } else {
            Err("too big inline request".into())
        };
    };
    let mut line = bytes[..end].trim_ascii();
    while let Some(first) = line.first() {
        let (word, rest) = match first {
            b'"' | b'\'' => quoted(line).ok_or("unbalanced quotes in request")?,
            _ => {
                let blank = line.iter().position(u8::is_ascii_whitespace);
                let (word, rest) = line.split_at(blank.unwrap_or(line.len()));
                (Cow::Borrowed(word), rest)
            }
        };
        words.push(word);
        line = rest.trim_ascii_start();
    }
    Ok(Some(end + 1))
}

/// The word in quotes that begins the line, and the rest, which begins with a blank.
fn quoted(line: &[u8]) -> Option<(Word<'_>, &[u8])> {
    let (quote, mut rest) = line.split_first()?;
    let mut word = Vec::new();
    loop {
        (rest, _) = match rest {
            [b'\\', b'x', high, low, after @ ..] if *quote == b'"' && are_hex(*high, *low) => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).ok()?;
                (after, word.push(u8::from_str_radix(digits, 16).ok()?))
            }
            [b'\\', escaped, after @ ..] if *quote == b'"' => {
                let byte = match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => *other,
                };
                (after, word.push(byte))
            }
            [b'\\', b'\'', after @ ..] if *quote == b'\'' => (after, word.push(b'\'')),
            [byte, after @ ..] if byte == quote => {
                let ends = after.first().is_none_or(u8::is_ascii_whitespace);
                return ends.then_some((Cow::Owned(word), after));
            }
            [byte, after @ ..] => (after, word.push(*byte)),
            [] => return None,
        };
    }
}

fn are_hex(high: u8, low: u8) -> bool {
    high.is_ascii_hexdigit() && low.is_ascii_hexdigit()
}
