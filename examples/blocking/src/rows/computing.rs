//! What waits for nobody, and takes the thread all the same.

use std::hint::black_box;
use std::io::Write;
use std::sync::Arc;

use super::row;
use crate::trial::{Call, Gate, Instead, Kind, Row, Tried};

pub(crate) fn rows() -> Vec<Row> {
    let short: Vec<(&str, Call)> = vec![
        ("`regex`", regex),
        ("`serde_json`", serde_json),
        ("`csv`", csv),
        ("`flate2`", flate2),
        ("`sha2`", sha2),
        ("`image`", image),
        ("`clap`", clap),
    ];
    let short = short.into_iter().map(|(call, alone)| {
        row(
            call,
            Kind::Nothing,
            alone,
            Instead::UnblockAnd("as it is; `unblock` for large input"),
        )
    });
    let long: Vec<(&str, Call)> = vec![("`argon2`", argon2), ("`bcrypt`", bcrypt)];
    let long = long.into_iter().map(|(call, alone)| {
        row(
            call,
            Kind::Nothing,
            alone,
            Instead::UnblockAnd("`unblock`: it is meant to be slow"),
        )
    });
    short.chain(long).collect()
}

fn regex(gate: &Arc<Gate>) -> Tried {
    let text = "the quick brown fox ".repeat(1000);
    gate.during(|| {
        regex::Regex::new(r"(\w+) (\w+)").map(|words| words.captures_iter(&text).count())
    })?;
    Ok(())
}

fn serde_json(gate: &Arc<Gate>) -> Tried {
    let text = format!("[{}1]", "{\"name\": [1, 2, 3]},".repeat(1000));
    gate.during(|| {
        serde_json::from_str::<serde_json::Value>(&text).map(|value| value.to_string())
    })?;
    Ok(())
}

fn csv(gate: &Arc<Gate>) -> Tried {
    let text = "name,age\n".repeat(1000);
    let records = gate.during(|| {
        csv::Reader::from_reader(text.as_bytes())
            .into_records()
            .count()
    });
    if records == 999 {
        Ok(())
    } else {
        Err("not all was read".into())
    }
}

fn flate2(gate: &Arc<Gate>) -> Tried {
    gate.during(|| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(&[7; 100_000])?;
        encoder.finish()
    })?;
    Ok(())
}

fn sha2(gate: &Arc<Gate>) -> Tried {
    use sha2::Digest as _;
    gate.during(|| black_box(sha2::Sha256::digest([7; 100_000])));
    Ok(())
}

fn argon2(gate: &Arc<Gate>) -> Tried {
    let mut key = [0; 32];
    let made = gate.during(|| {
        argon2::Argon2::default().hash_password_into(b"password", b"salt and more", &mut key)
    });
    made.map_err(|error| error.to_string().into())
}

fn bcrypt(gate: &Arc<Gate>) -> Tried {
    gate.during(|| bcrypt::hash("password", 4))?;
    Ok(())
}

fn image(gate: &Arc<Gate>) -> Tried {
    let picture = image::RgbImage::new(64, 64);
    gate.during(|| black_box(image::imageops::blur(&picture, 2.0)));
    Ok(())
}

fn clap(gate: &Arc<Gate>) -> Tried {
    gate.during(|| {
        clap::Command::new("tool")
            .arg(clap::arg!(--name <NAME>))
            .try_get_matches_from(["tool", "--name", "x"])
    })?;
    Ok(())
}
