//! Blocking crates on greenroom. Not a line of them is changed.
//!
//! | module | whose code waits | which lines are ours |
//! |---|---|---|
//! | [`tls`] | rustls | none: `StreamOwned` takes any `Read + Write` |
//! | [`server`] | rustls, tungstenite, and [`http`] | a task for each connection, and how it all ends |
//! | [`fetch`] | ureq, with its pool, and its own use of rustls | how it gets a socket, how it looks up a name |
//! | [`redis`] | redis: typed commands, pipelines, subscriptions | two calls: send, receive |
//!
//! What to notice: [`http`] and the loops of a websocket know nothing of tasks. They take a `Read + Write`
//! and block on it, as they would on a thread of their own.

pub mod fetch;
pub mod http;
pub mod redis;
pub mod server;
pub mod tls;
