//! Logging in: what the server says of itself, TLS, and the ways to show that one knows a
//! password. The password itself only goes over what nobody else can read, or under the
//! server's key.

use std::io;
use std::sync::Arc;

use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPublicEncryptingKey, PublicEncryptingKey};
use mysql_common::auth::plugins::caching_sha2_password::scramble_sha256;
use mysql_common::auth::plugins::mysql_native_password::scramble_native;
use mysql_common::collations::CollationId;
use mysql_common::constants::CapabilityFlags as Flags;
use mysql_common::packets::{
    AuthPlugin, AuthSwitchRequest, HandshakePacket, HandshakeResponse, SslRequest,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{ServerName, SubjectPublicKeyInfoDer};
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::client::{Client, Fault, LARGEST, Stream};
use super::packet::{Malformed, read, written};
use crate::store::{CertificateCheck, DatabasePlace, Encrypted};

/// Texts are UTF-8.
const UTF8MB4: u8 = CollationId::UTF8MB4_GENERAL_CI as u8;

const CACHING: AuthPlugin<'static> = AuthPlugin::CachingSha2Password;
const CLEAR: AuthPlugin<'static> = AuthPlugin::MysqlClearPassword;

/// What a server says first.
pub(super) struct Greeting {
    /// Its release, as it says it.
    pub(super) version: String,
    /// What the connection is called.
    pub(super) connection: u32,
    packet: HandshakePacket<'static>,
}

impl Greeting {
    pub(super) fn read(packet: &[u8]) -> Result<Self, Malformed> {
        // `mysql_common` counts with the length of the nonce as if it were signed; it stands
        // behind 20 bytes that follow the release.
        let release = packet.iter().skip(1).position(|byte| *byte == 0);
        let length = release.and_then(|end| packet.get(end + 22));
        if length.is_none_or(|length| *length > 0x7f) {
            return Err(Malformed);
        }
        let packet: HandshakePacket<'_> = read(packet, ())?;
        if packet.protocol_version() != 10 {
            return Err(Malformed);
        }
        Ok(Self {
            version: packet.server_version_str().into_owned(),
            connection: packet.connection_id(),
            packet: packet.into_owned(),
        })
    }
}

/// Makes a connection with which somebody is logged in of one that begins.
pub(super) fn log_in(
    mut client: Client,
    place: &DatabasePlace,
    greeting: &Greeting,
    tls: Option<&Arc<ClientConfig>>,
) -> Result<Client, Fault> {
    let wanted = Flags::CLIENT_LONG_FLAG
        | Flags::CLIENT_PROTOCOL_41
        | Flags::CLIENT_TRANSACTIONS
        | Flags::CLIENT_SECURE_CONNECTION
        | Flags::CLIENT_PLUGIN_AUTH
        | Flags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA;
    let can = greeting.packet.capabilities();
    if !can.contains(Flags::CLIENT_PROTOCOL_41) {
        return Err(Malformed.into());
    }
    let mut flags = (wanted & can) | Flags::CLIENT_LONG_PASSWORD | Flags::CLIENT_CONNECT_WITH_DB;
    let mut secrecy = if client.is_local() {
        Secrecy::Local
    } else {
        Secrecy::None
    };
    let has_tls = can.contains(Flags::CLIENT_SSL);
    match tls {
        Some(config) if has_tls => {
            flags |= Flags::CLIENT_SSL;
            client.send(&written(&SslRequest::new(flags, LARGEST, UTF8MB4)))?;
            client = encrypted(client, place, config)?;
            secrecy = if place.tls.checks == CertificateCheck::Nothing {
                Secrecy::Encrypted
            } else {
                Secrecy::Checked
            };
        }
        Some(_) if place.tls.encrypted == Encrypted::Always => return Err(Fault::NoTls),
        _ => {}
    }
    let password = place
        .password
        .as_ref()
        .map_or("", |password| password.expose());
    let nonce = greeting.packet.nonce();
    let named = greeting.packet.auth_plugin();
    // Where it is none that there is, the server names another then.
    let plugin = named
        .filter(|plugin| first_response(plugin, password, &nonce).is_some())
        .unwrap_or(AuthPlugin::MysqlNativePassword);
    let response = HandshakeResponse::new(
        first_response(&plugin, password, &nonce),
        // One that has `utf8mb4`.
        (8, 0, 0),
        Some(place.user.as_bytes()),
        Some(place.database.as_bytes()),
        flags
            .contains(Flags::CLIENT_PLUGIN_AUTH)
            .then(|| plugin.borrow()),
        flags,
        None,
        LARGEST,
    );
    client.send(&written(&response))?;
    conversation(&mut client, password, plugin.into_owned(), nonce, secrecy)?;
    Ok(client)
}

/// How secret is what is sent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Secrecy {
    None,
    /// From others, but who it is sent to is not known.
    Encrypted,
    Checked,
    Local,
}

fn encrypted(
    client: Client,
    place: &DatabasePlace,
    config: &Arc<ClientConfig>,
) -> Result<Client, Fault> {
    let host = place.hosts.first().map(|(host, _)| host.clone());
    let name = ServerName::try_from(host.unwrap_or_default());
    let name = name.map_err(|_| io::Error::other("a certificate can be for no such host"))?;
    let session = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
    client.over(|stream| match stream {
        Stream::Plain(socket) => {
            let mut stream = StreamOwned::new(session, socket);
            // What is wrong is told before a password is sent.
            while stream.conn.is_handshaking() {
                stream.conn.complete_io(&mut stream.sock)?;
            }
            Ok(Stream::Encrypted(Box::new(stream)))
        }
        other => Ok(other),
    })
}

/// Questions of the server and answers, until it is content.
fn conversation(
    client: &mut Client,
    password: &str,
    mut plugin: AuthPlugin<'static>,
    mut nonce: Vec<u8>,
    secrecy: Secrecy,
) -> Result<(), Fault> {
    let clear = || [password.as_bytes(), b"\0"].concat();
    // It asks twice at most, and not for ever.
    for _ in 0..8 {
        let packet = client.answer()?;
        match (packet.first(), packet.get(1..).unwrap_or_default()) {
            (Some(0), _) => return Ok(()),
            // The way of long ago.
            (Some(0xfe), []) => return Err(Fault::OtherLogin),
            // Another way to log in.
            (Some(0xfe), _) => {
                let wanted: AuthSwitchRequest<'_> = read(&packet, ())?;
                plugin = wanted.auth_plugin().into_owned();
                nonce = wanted.plugin_data().to_vec();
                let response = match first_response(&plugin, password, &nonce) {
                    Some(response) => response,
                    None if plugin == CLEAR && secrecy >= Secrecy::Checked => clear(),
                    None => return Err(Fault::OtherLogin),
                };
                client.send(&response)?;
            }
            // It knows the password, and all is said.
            (Some(1), [3]) if plugin == AuthPlugin::CachingSha2Password => {}
            // It has forgotten it, and wants it.
            (Some(1), [4]) if plugin == AuthPlugin::CachingSha2Password => {
                if secrecy == Secrecy::None {
                    client.send(&[2])?;
                } else {
                    client.send(&clear())?;
                }
            }
            (Some(1), key) if plugin == CACHING && secrecy == Secrecy::None => {
                let sealed = sealed(&clear(), &nonce, key).ok_or(Malformed)?;
                client.send(&sealed)?;
            }
            _ => return Err(Malformed.into()),
        }
    }
    Err(Malformed.into())
}

/// What to say first where the server wants to be shown a password in this way.
fn first_response(plugin: &AuthPlugin<'_>, password: &str, nonce: &[u8]) -> Option<Vec<u8>> {
    let password = password.as_bytes();
    match plugin {
        AuthPlugin::CachingSha2Password => {
            let scrambled = scramble_sha256(nonce.first_chunk()?, password);
            Some(scrambled.map_or_else(Vec::new, Vec::from))
        }
        AuthPlugin::MysqlNativePassword => {
            Some(scramble_native(nonce, password).map_or_else(Vec::new, Vec::from))
        }
        // It asks the system who is at the other end.
        AuthPlugin::Other(name) if matches!(&**name, b"auth_socket" | b"unix_socket") => {
            Some(Vec::new())
        }
        _ => None,
    }
}

fn masked(bytes: &[u8], mask: &[u8]) -> Vec<u8> {
    let mask = mask.iter().cycle();
    bytes
        .iter()
        .zip(mask)
        .map(|(byte, mask)| byte ^ mask)
        .collect()
}

/// A password for whoever has the key that belongs to this one.
fn sealed(password: &[u8], nonce: &[u8], key: &[u8]) -> Option<Vec<u8>> {
    let key = SubjectPublicKeyInfoDer::from_pem_slice(key).ok()?;
    let key = PublicEncryptingKey::from_der(&key).ok()?;
    let key = OaepPublicEncryptingKey::new(key).ok()?;
    let mut sealed = vec![0; key.ciphertext_size()];
    let masked = masked(password, nonce);
    let done = key.encrypt(&OAEP_SHA1_MGF1SHA1, &masked, &mut sealed, None);
    done.ok().map(|sealed| sealed.to_vec())
}

#[cfg(test)]
mod tests;
