//! Random programs, of several styles. They shrink to fewer and simpler steps.

use greenroom::Delivery;
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof};
use proptest::strategy::{BoxedStrategy, Union};

use super::program::{Body, Kind, Program, Step, Terms, What};

/// Which programs are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// No two moments are the same.
    Distinct,
    /// Many are.
    Ties,
    /// Many are, and the schedule is a random one.
    AnySchedule,
    /// Many are, and destructors wait while their tasks unwind. Nobody panics or
    /// catches by himself: while anyone is parked in the middle of his unwinding,
    /// such are taken for what they are not.
    Destructors,
}

pub(crate) fn programs(style: Style) -> impl Strategy<Value = Program> {
    let choices = if style == Style::AnySchedule { 60 } else { 1 };
    let main = body(step(style));
    let parts = (main, delivery(), prop::collection::vec(0u32..4, 0..choices));
    parts.prop_map(move |(main, delivery, choices)| {
        Program::new(main, delivery, choices, style == Style::Distinct)
    })
}

fn delivery() -> impl Strategy<Value = Delivery> {
    prop_oneof![3 => Just(Delivery::Unwind), 1 => Just(Delivery::Error)]
}

fn body(step: impl Strategy<Value = Step>) -> impl Strategy<Value = Body> {
    prop::collection::vec(step, 0..6)
}

fn step(style: Style) -> impl Strategy<Value = Step> {
    let leaf = leaf(style).prop_map(|what| Step { id: 0, what });
    leaf.prop_recursive(6, 100, 6, move |inner| {
        let node = compound(style, &inner);
        prop_oneof![
            2 => inner,
            3 => node.prop_map(|what| Step { id: 0, what }),
        ]
    })
}

fn leaf(style: Style) -> Union<BoxedStrategy<What>> {
    let moved = prop::option::weighted(0.8, 0u64..4);
    let mut leaves = vec![
        (2, Just(What::Emit).boxed()),
        (1, Just(What::Ask).boxed()),
        (3, Just(What::Yield).boxed()),
        (2, Just(What::Checkpoint).boxed()),
        (8, (0u64..5).prop_map(What::Sleep).boxed()),
        (1, Just(What::Quit).boxed()),
        (5, index().prop_map(What::Join).boxed()),
        (2, index().prop_map(What::CancelChild).boxed()),
        (1, Just(What::CancelChildren).boxed()),
        (3, index().prop_map(What::Cancel).boxed()),
        (
            3,
            (index(), moved)
                .prop_map(|(scope, moved)| What::Move(scope, moved))
                .boxed(),
        ),
    ];
    if style != Style::Destructors {
        leaves.push((2, Just(What::Fail).boxed()));
        leaves.push((1, Just(What::Throw).boxed()));
    }
    Union::new_weighted(leaves)
}

fn index() -> impl Strategy<Value = usize> {
    0usize..12
}

fn compound(style: Style, inner: &BoxedStrategy<Step>) -> impl Strategy<Value = What> + use<> {
    let body = || body(inner.clone());
    let terms = (
        prop::option::of(0u64..8),
        prop::bool::weighted(0.3),
        prop::option::weighted(0.4, delivery()),
    );
    let terms = terms.prop_map(|(deadline, shield, delivery)| Terms {
        deadline,
        shield,
        delivery,
    });
    let kind = prop_oneof![
        Just(Kind::Scope),
        Just(Kind::Supervise),
        Just(Kind::TryScope)
    ];
    let limit = prop::option::weighted(0.2, 1usize..3);
    let children = prop::collection::vec(body(), 0..4);
    let group =
        (kind, limit, children, body()).prop_map(|(kind, limit, children, body)| What::Group {
            kind,
            limit,
            children,
            body,
        });
    let with = (0u64..4, 0u64..4, body());
    let with = with.prop_map(|(close, grace, body)| What::With { close, grace, body });
    let destructors = style == Style::Destructors;
    let special = if destructors {
        let guard = (0u64..3, any::<bool>(), body());
        let guard = guard.prop_map(|(units, shielded, body)| What::Guard {
            units,
            shielded,
            body,
        });
        guard.boxed()
    } else {
        body().prop_map(What::Catch).boxed()
    };
    prop_oneof![
        3 => (0u64..6, body()).prop_map(|(units, body)| What::Timeout(units, body)),
        2 => body().prop_map(What::Shield),
        3 => (terms, body()).prop_map(|(terms, body)| What::CancelScope(terms, body)),
        1 => with,
        if destructors { 4 } else { 1 } => special,
        8 => group,
    ]
}
