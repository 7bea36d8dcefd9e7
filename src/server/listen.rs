//! The sockets that the node listens on.

use super::error::ServerError;
use crate::config::Settings;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::net::TcpListener;

/// Maximum number of connections that wait in the kernel to be accepted.
const BACKLOG: i32 = 1024;

/// The sockets that the node listens on. There is at least one.
#[derive(Debug)]
pub(super) struct ListeningSockets {
    /// The socket for plain HTTP.
    pub(super) http: Option<TcpListener>,
    /// The socket for HTTPS.
    pub(super) https: Option<TcpListener>,
}

/// The ports that the node listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ListeningPorts {
    /// The port for plain HTTP.
    pub(super) http: Option<u16>,
    /// The port for HTTPS.
    pub(super) https: Option<u16>,
}

impl ListeningSockets {
    /// Returns the ports, which the kernel chose if port 0 is configured.
    ///
    /// # Errors
    /// Fails when the kernel does not tell the address of a socket.
    pub(super) fn ports(&self) -> io::Result<ListeningPorts> {
        let port = |socket: &TcpListener| Ok::<_, io::Error>(socket.local_addr()?.port());
        Ok(ListeningPorts {
            http: self.http.as_ref().map(port).transpose()?,
            https: self.https.as_ref().map(port).transpose()?,
        })
    }
}

impl ListeningPorts {
    /// Returns the scheme and the port of the address at which other nodes reach this node.
    pub(super) fn for_peers(self) -> (&'static str, u16) {
        match (self.http, self.https) {
            (Some(port), _) => ("http", port),
            (None, port) => ("https", port.unwrap_or_default()),
        }
    }
}

/// Listens on `node.bind-ip`, or on every address of both families if that key is not set.
///
/// # Errors
/// Fails when the server cannot listen on the address.
pub(super) fn listen(settings: &Settings) -> Result<ListeningSockets, ServerError> {
    let http = settings.http_enabled.then_some(settings.http_port);
    let https = settings.security.https.as_ref().map(|https| https.port);
    Ok(ListeningSockets {
        http: http
            .map(|port| listen_on(settings, "http-server.http.port", port))
            .transpose()?,
        https: https
            .map(|port| listen_on(settings, "http-server.https.port", port))
            .transpose()?,
    })
}

fn listen_on(
    settings: &Settings,
    key: &'static str,
    port: u16,
) -> Result<TcpListener, ServerError> {
    let listener = match settings.bind_ip {
        Some(ip) => bind(SocketAddr::new(ip, port), Families::of(ip)),
        None => on_all(port, bind),
    };
    listener
        .and_then(TcpListener::from_std)
        .map_err(|error| refused(settings, key, port, error))
}

fn refused(settings: &Settings, key: &'static str, port: u16, error: io::Error) -> ServerError {
    let at = match settings.bind_ip {
        Some(ip) => format!("node.bind-ip={ip}"),
        None => "all addresses".to_owned(),
    };
    let source = match error.kind() {
        io::ErrorKind::AddrInUse => io::Error::new(error.kind(), "the port is in use"),
        _ => error,
    };
    ServerError::Port {
        key,
        port,
        at,
        source,
    }
}

/// The address families of the clients that a socket accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Families {
    /// Only the family of the socket's address.
    One,
    /// IPv4 and IPv6, on an IPv6 socket.
    Both,
}

impl Families {
    /// Returns the families of an address. `::` means both, as in airlift's Java server.
    fn of(ip: IpAddr) -> Families {
        match ip {
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Families::Both,
            _ => Families::One,
        }
    }
}

/// Binds one socket for both address families. If the kernel has no IPv6, or if IPv6 is disabled,
/// binds one socket for IPv4 instead.
fn on_all<T>(port: u16, bind: impl Fn(SocketAddr, Families) -> io::Result<T>) -> io::Result<T> {
    let both = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    match bind(both, Families::Both) {
        Err(error) if lacks_ipv6(&error) => bind(
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
            Families::One,
        ),
        bound => bound,
    }
}

/// Returns whether an error means that there is no IPv6. IPv6 may be missing from the kernel, or
/// switched off at boot (`ipv6.disable=1`), for all interfaces (`disable_ipv6`), or by a sandbox.
fn lacks_ipv6(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(
        Errno::from_io_error(error),
        Some(
            Errno::AFNOSUPPORT
                | Errno::ADDRNOTAVAIL
                | Errno::PROTONOSUPPORT
                | Errno::NOPROTOOPT
                | Errno::INVAL
                | Errno::PERM
                | Errno::ACCESS
        )
    )
}

/// Binds a socket to an address and listens on it.
fn bind(address: SocketAddr, families: Families) -> io::Result<std::net::TcpListener> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    if domain == Domain::IPV6 {
        // Set the option explicitly, so that `::` accepts the same clients on every machine,
        // whatever the value of `net.ipv6.bindv6only` is.
        socket.set_only_v6(families == Families::One)?;
    }
    // A restarted node must not wait for the connections of its last run to expire.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Returns whether connections to the address `candidate` of this machine are accepted.
pub(super) fn takes(bind_ip: Option<IpAddr>, candidate: IpAddr) -> bool {
    match bind_ip {
        None | Some(IpAddr::V6(Ipv6Addr::UNSPECIFIED)) => true,
        Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)) => candidate.is_ipv4(),
        Some(ip) => ip == candidate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;
    use std::cell::RefCell;
    use std::net::TcpStream;

    /// Returns whether connections from loopback are accepted, by IPv4 and by IPv6.
    fn taken(listener: &std::net::TcpListener) -> [bool; 2] {
        let port = listener.local_addr().expect("bound").port();
        [
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok(),
            TcpStream::connect((Ipv6Addr::LOCALHOST, port)).is_ok(),
        ]
    }

    fn has_ipv6() -> bool {
        std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
    }

    /// Without a configured address, and on `::`, the server accepts both address families. On any
    /// other address it accepts one family.
    #[test]
    fn families() {
        if !has_ipv6() {
            eprintln!("skipped: this machine has no IPv6");
            return;
        }
        assert_eq!(taken(&on_all(0, bind).expect("binds")), [true, true]);
        for (ip, families) in [
            ("::", [true, true]),
            ("::1", [false, true]),
            ("0.0.0.0", [true, false]),
            ("127.0.0.1", [true, false]),
        ] {
            let ip: IpAddr = ip.parse().expect("an address");
            let listener = bind(SocketAddr::new(ip, 0), Families::of(ip)).expect("binds");
            assert_eq!(taken(&listener), families, "{ip}");
        }
    }

    /// Without IPv6 the server listens on IPv4. Any other failure is reported.
    #[test]
    fn without_ipv6() {
        let asked = RefCell::new(Vec::new());
        let failing = |errno: Errno| {
            asked.borrow_mut().clear();
            on_all(8411, |address, families| {
                asked.borrow_mut().push((address.to_string(), families));
                match address.is_ipv6() {
                    true => Err(io::Error::from(errno)),
                    false => Ok(()),
                }
            })
        };
        for errno in [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL] {
            failing(errno).expect("IPv4 is there");
            let both = ("[::]:8411".to_owned(), Families::Both);
            let one = ("0.0.0.0:8411".to_owned(), Families::One);
            assert_eq!(*asked.borrow(), [both, one]);
        }
        failing(Errno::ADDRINUSE).expect_err("the port is in use");
        assert_eq!(asked.borrow().len(), 1);
    }
}
