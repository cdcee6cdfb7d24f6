//! What can be asked for, and what is answered: as Redis does, to the letter of its errors. But a
//! key does not live for more than 500 years: such a time is refused, as one too large to count.
//!
//! Must never: wait.

use std::time::Duration;

use greenroom::Instant;

use super::answers::Answer::{self, Bulk, Empty, Integer, Nothing, Pair, Status};
use super::answers::{error, number_to, put, unknown};
use super::request::{Word, integer};
use super::store::Store;

/// What comes after the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    GoOn,
    Close,
}

const NO_INTEGER: &str = "value is not an integer or out of range";
const SYNTAX: &str = "syntax error";
const MILLISECOND: i64 = 1;
const SECOND: i64 = 1000;

/// Answers a request.
pub(crate) fn perform(words: &[Word<'_>], store: &mut Store, answers: &mut Vec<u8>) -> Then {
    let Some((name, arguments)) = words.split_first() else {
        return Then::GoOn;
    };
    let mut upper = [0; 12];
    let upper = match upper.get_mut(..name.len()) {
        Some(upper) => {
            upper.copy_from_slice(name);
            upper.make_ascii_uppercase();
            &*upper
        }
        None => b"",
    };
    match answer(upper, arguments, store) {
        Ok(answer) => put(&answer, answers),
        Err(Refused::Because(why)) => error(why, answers),
        Err(Refused::Expire) => {
            let name = String::from_utf8_lossy(name).to_lowercase();
            error(&format!("invalid expire time in '{name}' command"), answers);
        }
        Err(Refused::Arguments) => {
            let name = String::from_utf8_lossy(name).to_lowercase();
            let why = format!("wrong number of arguments for '{name}' command");
            error(&why, answers);
        }
        Err(Refused::Unknown) => unknown(name, arguments, answers),
    }
    if upper == b"QUIT" {
        Then::Close
    } else {
        Then::GoOn
    }
}

/// Why there is no answer.
enum Refused {
    Because(&'static str),
    Expire,
    Arguments,
    Unknown,
}

impl From<&'static str> for Refused {
    fn from(why: &'static str) -> Self {
        Self::Because(why)
    }
}

fn answer<'a>(
    name: &[u8],
    arguments: &'a [Word<'_>],
    store: &'a mut Store,
) -> Result<Answer<'a>, Refused> {
    Ok(match (name, arguments) {
        (b"GET", [key]) => store.get(key).map_or(Nothing, |entry| Bulk(&entry.value)),
        (b"SET", [key, value, options @ ..]) => set(store, key, value, options)?,
        (b"INCR", [key]) => add(store, key, 1)?,
        (b"DECR", [key]) => add(store, key, -1)?,
        (b"INCRBY", [key, by]) => add(store, key, integer(by).ok_or(NO_INTEGER)?)?,
        (b"DECRBY", [key, by]) => {
            let by = integer(by).ok_or(NO_INTEGER)?.checked_neg();
            add(store, key, by.ok_or("decrement would overflow")?)?
        }
        (b"DEL" | b"UNLINK", [_, ..]) => count(arguments, |key| store.remove(key)),
        (b"EXISTS", [_, ..]) => count(arguments, |key| store.get(key).is_some()),
        (b"EXPIRE", [key, time]) => expire(store, key, time, SECOND)?,
        (b"PEXPIRE", [key, time]) => expire(store, key, time, MILLISECOND)?,
        (b"EXPIRE" | b"PEXPIRE", [_, _, _, ..]) => return Err("Unsupported option".into()),
        (b"PERSIST", [key]) => {
            let expires = store
                .get(key)
                .is_some_and(|entry| entry.expires().is_some());
            store.expire(key, None);
            Integer(expires.into())
        }
        (b"TTL", [key]) => Integer(match left(store, key) {
            // To the nearest second.
            left @ 0.. => (left + SECOND / 2) / SECOND,
            none => none,
        }),
        (b"PTTL", [key]) => Integer(left(store, key)),
        (b"PING", []) => Status("PONG"),
        (b"PING" | b"ECHO", [text]) => Bulk(text),
        (b"DBSIZE", []) => Integer(i64::try_from(store.len()).unwrap_or(i64::MAX)),
        (b"FLUSHALL" | b"FLUSHDB", []) => {
            store.clear();
            Status("OK")
        }
        (b"FLUSHALL" | b"FLUSHDB", _) => return Err(SYNTAX.into()),
        // What redis-cli and redis-benchmark ask before they begin.
        (b"COMMAND", _) => Empty,
        (b"CONFIG", [get, name]) if get.eq_ignore_ascii_case(b"GET") => match &**name {
            b"save" => Pair("save", ""),
            b"appendonly" => Pair("appendonly", "no"),
            _ => Empty,
        },
        (b"CONFIG", [_, ..]) => return Err("unknown subcommand. Try CONFIG GET.".into()),
        (b"QUIT", _) => Status("OK"),
        (
            b"GET" | b"SET" | b"INCR" | b"DECR" | b"INCRBY" | b"DECRBY" | b"DEL" | b"UNLINK"
            | b"EXISTS" | b"EXPIRE" | b"PEXPIRE" | b"PERSIST" | b"TTL" | b"PTTL" | b"PING"
            | b"ECHO" | b"DBSIZE" | b"CONFIG",
            _,
        ) => return Err(Refused::Arguments),
        _ => return Err(Refused::Unknown),
    })
}

fn set<'a>(
    store: &mut Store,
    key: &[u8],
    value: &[u8],
    options: &[Word<'_>],
) -> Result<Answer<'a>, Refused> {
    let (mut expires, mut there) = (None, None);
    let mut options = options.iter();
    while let Some(option) = options.next() {
        let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
        if (is(b"NX") || is(b"XX")) && there.is_none_or(|there| there == is(b"XX")) {
            there = Some(is(b"XX"));
        } else if (is(b"EX") || is(b"PX")) && expires.is_none() {
            let unit = if is(b"EX") { SECOND } else { MILLISECOND };
            expires = Some((options.next().ok_or(SYNTAX)?, unit));
        } else {
            return Err(SYNTAX.into());
        }
    }
    let expires = match expires {
        Some((time, unit)) => Some(moment(time, unit)?.ok_or(Refused::Expire)?),
        None => None,
    };
    if there.is_some_and(|there| there != store.get(key).is_some()) {
        return Ok(Nothing);
    }
    store.set(key, value, expires);
    Ok(Status("OK"))
}

/// The moment that is so many units from now; `None` if that is not after now.
fn moment(time: &[u8], unit: i64) -> Result<Option<Instant>, Refused> {
    let time = integer(time).ok_or(NO_INTEGER)?;
    let milliseconds = time.checked_mul(unit).ok_or(Refused::Expire)?;
    let Ok(milliseconds @ 1..) = u64::try_from(milliseconds) else {
        return Ok(None);
    };
    let moment = Instant::now().checked_add(Duration::from_millis(milliseconds));
    moment.map(Some).ok_or(Refused::Expire)
}

fn expire<'a>(
    store: &mut Store,
    key: &[u8],
    time: &[u8],
    unit: i64,
) -> Result<Answer<'a>, Refused> {
    let moment = moment(time, unit)?;
    let there = store.get(key).is_some();
    match moment {
        Some(moment) => store.expire(key, Some(moment)),
        None => drop(store.remove(key)),
    }
    Ok(Integer(there.into()))
}

/// How long a key has, in milliseconds; -1 is for ever, and -2 that it is not there.
fn left(store: &mut Store, key: &[u8]) -> i64 {
    match store.get(key).map(|entry| entry.expires()) {
        None => -2,
        Some(None) => -1,
        Some(Some(moment)) => {
            let left = moment.duration_since(Instant::now()).as_millis();
            i64::try_from(left).unwrap_or(i64::MAX)
        }
    }
}

fn add<'a>(store: &mut Store, key: &[u8], by: i64) -> Result<Answer<'a>, Refused> {
    let Some(entry) = store.get(key) else {
        store.set(key, by.to_string().as_bytes(), None);
        return Ok(Integer(by));
    };
    let number = integer(&entry.value).ok_or(NO_INTEGER)?;
    let sum = number.checked_add(by);
    let sum = sum.ok_or("increment or decrement would overflow")?;
    entry.value.clear();
    number_to(sum, &mut entry.value);
    Ok(Integer(sum))
}

fn count<'a>(keys: &[Word<'_>], mut is_counted: impl FnMut(&[u8]) -> bool) -> Answer<'a> {
    let counted = keys.iter().filter(|key| is_counted(key)).count();
    Integer(i64::try_from(counted).unwrap_or(i64::MAX))
}
