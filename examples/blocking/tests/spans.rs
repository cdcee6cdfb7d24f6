//! A span that is entered while its task waits is the span of the other tasks, too.

use greenroom::{run, spawn, yield_now};
use tracing::{Span, info_span};

fn seen_by_another(waits: impl FnOnce() + 'static) -> Option<&'static str> {
    tracing::subscriber::with_default(tracing_subscriber::fmt().finish(), || {
        run(|| {
            spawn(waits);
            let seen = spawn(|| Span::current().metadata().map(|span| span.name()));
            seen.join().expect("it only looks")
        })
    })
}

#[test]
fn entered_over_a_wait_it_is_seen_by_others() {
    let seen = seen_by_another(|| {
        let _entered = info_span!("theirs").entered();
        yield_now();
    });
    assert_eq!(seen, Some("theirs"));
}

#[test]
fn entered_round_what_does_not_wait_it_is_not() {
    let seen = seen_by_another(|| {
        let span = info_span!("theirs");
        span.in_scope(|| ());
        yield_now();
        span.in_scope(|| ());
    });
    assert_eq!(seen, None);
}
