//! Logging in to a server that checks what it is sent as MySQL does: it knows the hash of the
//! hash of a password, and nothing else.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeySize, OaepPrivateDecryptingKey, PrivateDecryptingKey};

use super::*;
use crate::store::{DatabaseKind, DatabaseTls, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

#[test]
fn passwords_are_scrambled_as_servers_expect_it() {
    let nonce: Vec<u8> = (1..=20).collect();
    let scrambled =
        |plugin: &AuthPlugin<'_>, password| first_response(plugin, password, &nonce).unwrap();
    // By Python: sha1(p) ^ sha1(nonce + sha1(sha1(p))), and likewise.
    let sha1 = "b32bb3a583e1340c0a1108d58b1be49781ad8c2f";
    assert_eq!(
        hex(&scrambled(&AuthPlugin::MysqlNativePassword, "secret")),
        sha1
    );
    let sha256 = "746ebe205d56a0707acb3e796e834e0dd7b1d61743b26bd5202c7a623230c7c9";
    assert_eq!(hex(&scrambled(&CACHING, "secret")), sha256);
    for plugin in [AuthPlugin::MysqlNativePassword, CACHING] {
        assert!(scrambled(&plugin, "").is_empty());
    }
}

#[test]
fn a_greeting_is_read_or_refused_as_a_whole() {
    let mut packet = b"\x0a8.4.0\0\x2a\0\0\0abcdefgh\0\xff\xff\x2d\x02\0\xff\xdf\x15".to_vec();
    packet.extend_from_slice(&[0; 10]);
    packet.extend_from_slice(b"ijklmnopqrst\0caching_sha2_password\0");
    let greeting = Greeting::read(&packet).unwrap();
    assert_eq!(
        (greeting.version.as_str(), greeting.connection),
        ("8.4.0", 42)
    );
    assert_eq!(greeting.packet.nonce(), b"abcdefghijklmnopqrst");
    assert_eq!(greeting.packet.auth_plugin(), Some(CACHING));
    for length in 0..44 {
        assert!(Greeting::read(&packet[..length]).is_err(), "{length}");
    }
    packet[27] = 0x80;
    assert!(Greeting::read(&packet).is_err());
}

const PASSWORD: &str = "pässword";
const NONCE: &[u8] = b"abcdefghijklmnopqrst";

fn greeting() -> Vec<u8> {
    let mut packet = b"\x0a8.4.0\0\x2a\0\0\0abcdefgh\0\xff\xf7\x2d\x02\0\xff\xdf\x15".to_vec();
    packet.extend_from_slice(&[0; 10]);
    packet.extend_from_slice(b"ijklmnopqrst\0caching_sha2_password\0");
    packet
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

/// Sends a packet with the number that it has among those of a conversation.
fn send(socket: &mut TcpStream, number: &mut u8, packet: &[u8]) {
    let length = u32::try_from(packet.len()).unwrap().to_le_bytes();
    let head = [length[0], length[1], length[2], *number];
    socket.write_all(&[&head, packet].concat()).unwrap();
    *number += 1;
}

fn receive(socket: &mut TcpStream, number: &mut u8) -> Vec<u8> {
    let mut head = [0; 4];
    socket.read_exact(&mut head).unwrap();
    assert_eq!(head[3], *number);
    *number += 1;
    let mut packet = vec![0; usize::from(head[0]) + (usize::from(head[1]) << 8)];
    socket.read_exact(&mut packet).unwrap();
    packet
}

/// Whether what is sent shows that somebody knows the password.
fn is_shown(sent: &[u8]) -> bool {
    let stored = sha256(&sha256(PASSWORD.as_bytes()));
    let mask = sha256(&[stored.as_slice(), NONCE].concat());
    let once = masked(sent, &mask);
    sent.len() == 32 && sha256(&once) == stored
}

/// Logs in with a password to a server that remembers it or does not.
fn logged_in(password: &str, remembers: bool) -> Result<(), Fault> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut number = 0;
        send(&mut socket, &mut number, &greeting());
        let response = receive(&mut socket, &mut number);
        let said = response[32..].strip_prefix(b"ann\0").unwrap();
        let (shown, rest) = said[1..].split_at(said[0].into());
        let is_known = is_shown(shown);
        assert!(rest.starts_with(b"db\0caching_sha2_password\0"), "{rest:?}");
        let is_let_in = if is_known && remembers {
            send(&mut socket, &mut number, &[1, 3]);
            true
        } else {
            send(&mut socket, &mut number, &[1, 4]);
            assert_eq!(receive(&mut socket, &mut number), [2]);
            let key = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
            let public: PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
            let pem = STANDARD.encode(public.as_ref());
            let pem = format!("-----BEGIN PUBLIC KEY-----\n{pem}\n-----END PUBLIC KEY-----\n");
            send(
                &mut socket,
                &mut number,
                &[b"\x01", pem.as_bytes()].concat(),
            );
            let sealed = receive(&mut socket, &mut number);
            let key = OaepPrivateDecryptingKey::new(key).unwrap();
            let mut opened = vec![0; key.min_output_size()];
            let opened = key.decrypt(&OAEP_SHA1_MGF1SHA1, &sealed, &mut opened, None);
            masked(opened.unwrap(), NONCE) == [PASSWORD.as_bytes(), b"\0"].concat()
        };
        let end: &[u8] = if is_let_in {
            &[0, 0, 0, 2, 0, 0, 0]
        } else {
            b"\xff\x15\x04#28000no"
        };
        send(&mut socket, &mut number, end);
    });
    let place = DatabasePlace {
        kind: DatabaseKind::Mysql,
        hosts: vec![("127.0.0.1".to_owned(), port)],
        user: "ann".to_owned(),
        password: Some(Secret::new(password.to_owned())),
        database: "db".to_owned(),
        options: None,
        tls: DatabaseTls {
            encrypted: Encrypted::Never,
            checks: CertificateCheck::Nothing,
            authorities: None,
            client_certificate: None,
        },
        connect_timeout: Duration::from_secs(5),
        max_time: Duration::from_secs(5),
        workspace: None,
    };
    let stream = Stream::open("127.0.0.1", port, place.connect_timeout).unwrap();
    let mut client = Client::new(stream);
    let greeting = Greeting::read(&client.answer()?)?;
    let done = log_in(client, &place, &greeting, None).map(drop);
    server.join().unwrap();
    done
}

#[test]
fn a_server_that_caches_passwords_is_shown_one_or_sent_it_under_its_key() {
    for remembers in [true, false] {
        assert!(logged_in(PASSWORD, remembers).is_ok());
        let refused = logged_in("another", remembers);
        assert!(matches!(refused, Err(Fault::Refused(1045))), "{refused:?}");
    }
}
