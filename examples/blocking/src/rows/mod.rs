//! The rows, a file for each table.

mod channels;
mod clients;
mod computing;
mod diagnostics;
mod futures;
mod kept;
mod locks;
mod streams;
mod system;
mod threads;

use crate::trial::{Call, Instead, Kind, Row};

/// All tables, with their titles.
pub(crate) fn tables() -> Vec<(&'static str, Vec<Row>)> {
    vec![
        (
            "Threads, locks and channels",
            [
                threads::rows(),
                locks::rows(),
                kept::rows(),
                channels::rows(),
            ]
            .concat(),
        ),
        (
            "Sockets, files, processes, standard streams",
            [streams::rows(), system::rows()].concat(),
        ),
        ("Clients of servers, and databases", clients::rows()),
        ("Futures driven to their end", futures::rows()),
        ("Logs and progress", diagnostics::rows()),
        ("Computations", computing::rows()),
    ]
}

fn row(call: &'static str, kind: Kind, alone: Call, instead: Instead) -> Row {
    Row {
        call,
        kind,
        alone,
        instead,
    }
}
