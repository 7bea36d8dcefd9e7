//! A listener for HTTPS, with the TLS settings of quorate.

use anyhow::Context;
use axum::serve::Listener;
use quorate::security::{EXCLUDED_CIPHERS_DEFAULT, HttpsSettings, KeyStore, StorePasswords};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Time after which sessions can no longer be resumed, as in quorate by default.
const SESSION_TIMEOUT_S: u32 = 4 * 60 * 60;
/// Maximum number of connections with TLS that wait to be served.
const QUEUE: usize = 1_024;
/// Pause after a connection that could not be accepted, for example without descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// A listener that returns connections whose handshake is complete. Handshakes run concurrently.
pub struct TlsListener {
    address: SocketAddr,
    opened: Receiver<(TlsStream<TcpStream>, SocketAddr)>,
}

impl TlsListener {
    /// Listens on a port of loopback, with the key and the certificates of a PEM file.
    ///
    /// # Errors
    /// Fails if the port is in use, or the file cannot be used.
    pub async fn bind(port: u16, key_store: &Path) -> anyhow::Result<TlsListener> {
        let named = || key_store.display().to_string();
        let bytes = std::fs::read(key_store).with_context(named)?;
        let store = KeyStore::read(&bytes, &StorePasswords::default()).with_context(named)?;
        let settings = HttpsSettings {
            key_store: &store,
            trust_store: None,
            included_ciphers: "",
            excluded_ciphers: EXCLUDED_CIPHERS_DEFAULT,
            session_timeout_s: SESSION_TIMEOUT_S,
        };
        let acceptor = TlsAcceptor::from(settings.server_config().with_context(named)?);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let (sender, opened) = channel(QUEUE);
        let address = listener.local_addr()?;
        tokio::spawn(accept_all(listener, acceptor, sender));
        Ok(TlsListener { address, opened })
    }
}

/// Accepts connections, and sends on each whose handshake succeeds.
async fn accept_all(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    sender: Sender<(TlsStream<TcpStream>, SocketAddr)>,
) {
    loop {
        let Ok((stream, from)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let (acceptor, sender) = (acceptor.clone(), sender.clone());
        tokio::spawn(async move {
            // Without Nagle's algorithm, as without TLS.
            let _ = stream.set_nodelay(true);
            // A client whose handshake fails reports the error itself.
            if let Ok(stream) = acceptor.accept(stream).await {
                let _ = sender.send((stream, from)).await;
            }
        });
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.opened.recv().await {
            Some(opened) => opened,
            // The task that accepts connections never ends.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.address)
    }
}
