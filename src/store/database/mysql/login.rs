//! Logging in: what the server says of itself, TLS, and the ways to show that one knows a
//! password. The password itself only goes over what nobody else can read, or under the
//! server's key.

use std::io;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPublicEncryptingKey, PublicEncryptingKey};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{ServerName, SubjectPublicKeyInfoDer};
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::client::{Client, Fault, Stream};
use super::packet::{Bytes, Malformed, put_counted};
use crate::store::{CertificateCheck, DatabasePlace, Encrypted};

/// What client and server can do, by bits.
mod can {
    pub(super) const LONG_PASSWORD: u32 = 1;
    pub(super) const LONG_FLAG: u32 = 4;
    pub(super) const WITH_DATABASE: u32 = 8;
    pub(super) const PROTOCOL_41: u32 = 0x200;
    pub(super) const TLS: u32 = 0x800;
    pub(super) const TRANSACTIONS: u32 = 0x2000;
    pub(super) const SECURE_CONNECTION: u32 = 0x8000;
    pub(super) const PLUGINS: u32 = 0x8_0000;
    pub(super) const COUNTED_LOGIN: u32 = 0x20_0000;
}

/// Texts are UTF-8.
const UTF8MB4: u8 = 45;
/// The largest packet that is taken.
const LARGEST: u32 = 1 << 30;

const NATIVE: &[u8] = b"mysql_native_password";
const CACHING: &[u8] = b"caching_sha2_password";
const CLEAR: &[u8] = b"mysql_clear_password";

/// What a server says first.
pub(super) struct Greeting {
    /// Its release, as it says it.
    pub(super) version: String,
    /// What the connection is called.
    pub(super) connection: u32,
    can: u32,
    nonce: Vec<u8>,
    plugin: Vec<u8>,
}

impl Greeting {
    pub(super) fn read(packet: &[u8]) -> Result<Self, Malformed> {
        let mut bytes = Bytes(packet);
        if bytes.byte()? != 10 {
            return Err(Malformed);
        }
        let version = String::from_utf8_lossy(bytes.ended()).into_owned();
        let connection = bytes.u32()?;
        let mut nonce = bytes.take(8)?.to_vec();
        let _filler = bytes.byte()?;
        let low = bytes.u16()?;
        let _charset = bytes.byte()?;
        let _status = bytes.u16()?;
        let high = bytes.u16()?;
        let length = usize::from(bytes.byte()?);
        let _reserved = bytes.take(10)?;
        let more = bytes.take(length.saturating_sub(8).max(13))?;
        nonce.extend_from_slice(more.strip_suffix(b"\0").unwrap_or(more));
        Ok(Self {
            version,
            connection,
            can: u32::from(low) | u32::from(high) << 16,
            nonce,
            plugin: bytes.ended().to_vec(),
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
    let wanted = can::LONG_PASSWORD
        | can::LONG_FLAG
        | can::WITH_DATABASE
        | can::PROTOCOL_41
        | can::TRANSACTIONS
        | can::SECURE_CONNECTION
        | can::PLUGINS
        | can::COUNTED_LOGIN;
    if greeting.can & can::PROTOCOL_41 == 0 {
        return Err(Malformed.into());
    }
    let mut flags = wanted & (greeting.can | can::LONG_PASSWORD | can::WITH_DATABASE);
    let mut secrecy = if client.is_local() {
        Secrecy::Local
    } else {
        Secrecy::None
    };
    let has_tls = greeting.can & can::TLS != 0;
    match tls {
        Some(config) if has_tls => {
            flags |= can::TLS;
            client.send(&head(flags))?;
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
    let (plugin, response) = match first_response(&greeting.plugin, password, &greeting.nonce) {
        Some(response) => (greeting.plugin.as_slice(), response),
        // The server names another way then.
        None => (NATIVE, scrambled_sha1(password, &greeting.nonce)),
    };
    let mut packet = head(flags);
    let without_zero = |text: &str| text.replace('\0', "");
    packet.extend_from_slice(without_zero(&place.user).as_bytes());
    packet.push(0);
    if flags & can::COUNTED_LOGIN == 0 {
        packet.push(u8::try_from(response.len()).map_err(|_| Malformed)?);
        packet.extend_from_slice(&response);
    } else {
        put_counted(&mut packet, &response);
    }
    packet.extend_from_slice(without_zero(&place.database).as_bytes());
    packet.push(0);
    if flags & can::PLUGINS != 0 {
        packet.extend_from_slice(plugin);
        packet.push(0);
    }
    client.send(&packet)?;
    conversation(&mut client, password, plugin, &greeting.nonce, secrecy)?;
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

/// The begin of what a client answers.
fn head(flags: u32) -> Vec<u8> {
    let mut head = flags.to_le_bytes().to_vec();
    head.extend_from_slice(&LARGEST.to_le_bytes());
    head.push(UTF8MB4);
    head.extend_from_slice(&[0; 23]);
    head
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
    plugin: &[u8],
    nonce: &[u8],
    secrecy: Secrecy,
) -> Result<(), Fault> {
    let (mut plugin, mut nonce) = (plugin.to_vec(), nonce.to_vec());
    let clear = || [password.as_bytes(), b"\0"].concat();
    // It asks twice at most, and not for ever.
    for _ in 0..8 {
        let packet = client.answer()?;
        match (packet.first(), packet.get(1..).unwrap_or_default()) {
            (Some(0), _) => return Ok(()),
            // Another way to log in.
            (Some(0xfe), rest) => {
                let mut rest = Bytes(rest);
                plugin = rest.ended().to_vec();
                let own = rest.all();
                nonce = own.strip_suffix(b"\0").unwrap_or(own).to_vec();
                let response = match first_response(&plugin, password, &nonce) {
                    Some(response) => response,
                    None if plugin == CLEAR && secrecy >= Secrecy::Checked => clear(),
                    None => return Err(Fault::OtherLogin),
                };
                client.send(&response)?;
            }
            // It knows the password, and all is said.
            (Some(1), [3]) if plugin == CACHING => {}
            // It has forgotten it, and wants it.
            (Some(1), [4]) if plugin == CACHING => {
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
fn first_response(plugin: &[u8], password: &str, nonce: &[u8]) -> Option<Vec<u8>> {
    match plugin {
        CACHING => Some(scrambled_sha256(password, nonce)),
        NATIVE => Some(scrambled_sha1(password, nonce)),
        // It asks the system who is at the other end.
        b"auth_socket" | b"unix_socket" => Some(Vec::new()),
        _ => None,
    }
}

fn scrambled_sha1(password: &str, nonce: &[u8]) -> Vec<u8> {
    let hash = |bytes: &[u8]| digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().to_vec();
    if password.is_empty() {
        return Vec::new();
    }
    let once = hash(password.as_bytes());
    let mask = hash(&[nonce, &hash(&once)].concat());
    masked(&once, &mask)
}

fn scrambled_sha256(password: &str, nonce: &[u8]) -> Vec<u8> {
    let hash = |bytes: &[u8]| digest(&SHA256, bytes).as_ref().to_vec();
    if password.is_empty() {
        return Vec::new();
    }
    let once = hash(password.as_bytes());
    let mask = hash(&[hash(&once).as_slice(), nonce].concat());
    masked(&once, &mask)
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
