//! The options of a UDP socket, which are std's.
//!
//! Must never: wait.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::UdpSocket;

/// Methods that only ask std's socket.
macro_rules! options {
    ($($(#[doc = $doc:literal])+ fn $name:ident($($argument:ident: $type:ty),*) -> $value:ty;)*) => {
        impl UdpSocket {
            $(
                $(#[doc = $doc])+
                ///
                /// # Errors
                ///
                /// What the system says.
                pub fn $name(&self, $($argument: $type),*) -> io::Result<$value> {
                    self.0.std().$name($($argument),*)
                }
            )*
        }
    };
}

options! {
    /// Sets `SO_BROADCAST`: whether it may send to all machines of a network at once.
    fn set_broadcast(broadcast: bool) -> ();
    /// Whether `SO_BROADCAST` is set.
    fn broadcast() -> bool;
    /// Sets `IP_TTL`: how many routers a packet may pass.
    fn set_ttl(ttl: u32) -> ();
    /// The value of `IP_TTL`.
    fn ttl() -> u32;
    /// Sets `IP_MULTICAST_LOOP`: whether what is sent to a group comes back to this machine.
    fn set_multicast_loop_v4(multicast_loop_v4: bool) -> ();
    /// Whether `IP_MULTICAST_LOOP` is set.
    fn multicast_loop_v4() -> bool;
    /// Sets `IP_MULTICAST_TTL`: how many routers a packet to a group may pass.
    fn set_multicast_ttl_v4(multicast_ttl_v4: u32) -> ();
    /// The value of `IP_MULTICAST_TTL`.
    fn multicast_ttl_v4() -> u32;
    /// Sets `IPV6_MULTICAST_LOOP`: whether what is sent to a group comes back to this machine.
    fn set_multicast_loop_v6(multicast_loop_v6: bool) -> ();
    /// Whether `IPV6_MULTICAST_LOOP` is set.
    fn multicast_loop_v6() -> bool;
    /// Joins a group: what is sent to it is received. The interface is named by an address of it; an unspecified
    /// one lets the system choose.
    fn join_multicast_v4(multiaddr: &Ipv4Addr, interface: &Ipv4Addr) -> ();
    /// Leaves a group.
    fn leave_multicast_v4(multiaddr: &Ipv4Addr, interface: &Ipv4Addr) -> ();
    /// Joins a group: what is sent to it is received. The interface is named by its index; 0 lets the system choose.
    fn join_multicast_v6(multiaddr: &Ipv6Addr, interface: u32) -> ();
    /// Leaves a group.
    fn leave_multicast_v6(multiaddr: &Ipv6Addr, interface: u32) -> ();
}
