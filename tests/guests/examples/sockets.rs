//! Tries everything that wasi:sockets offers and tells what came of it.

use spaceport_guest::{Request, Response};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::ip_name_lookup::resolve_addresses;
use wasip2::sockets::network::{ErrorCode, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress};
use wasip2::sockets::tcp_create_socket::create_tcp_socket;
use wasip2::sockets::udp_create_socket::create_udp_socket;

fn handle(_: Request) -> Response {
    Response::text(format!("tcp: {:?}\nudp: {:?}\nname: {:?}\n", tcp(), udp(), name()))
}

fn tcp() -> Result<&'static str, ErrorCode> {
    let network = instance_network();
    let socket = create_tcp_socket(IpAddressFamily::Ipv4)?;
    socket.start_connect(&network, IpSocketAddress::Ipv4(Ipv4SocketAddress { port: 80, address: (127, 0, 0, 1) }))?;
    loop {
        match socket.finish_connect() {
            Err(ErrorCode::WouldBlock) => socket.subscribe().block(),
            other => return other.map(|_| "connected"),
        }
    }
}

fn udp() -> Result<&'static str, ErrorCode> {
    let network = instance_network();
    let socket = create_udp_socket(IpAddressFamily::Ipv4)?;
    socket.start_bind(&network, IpSocketAddress::Ipv4(Ipv4SocketAddress { port: 0, address: (0, 0, 0, 0) }))?;
    socket.finish_bind().map(|()| "connected")
}

fn name() -> Result<&'static str, ErrorCode> {
    let network = instance_network();
    let lookup = resolve_addresses(&network, "localhost")?;
    loop {
        match lookup.resolve_next_address() {
            Err(ErrorCode::WouldBlock) => lookup.subscribe().block(),
            other => return other.map(|_| "connected"),
        }
    }
}

spaceport_guest::export!(handle);
