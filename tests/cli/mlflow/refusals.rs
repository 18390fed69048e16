//! Refusals that only their words tell from others, from servers that mean them.

use insta::assert_snapshot;

use crate::support::mlflow::current;
use crate::support::mlt;

#[test]
fn a_server_that_does_not_know_itself_by_the_name_in_the_uri_says_where_to_set_it() {
    // As a proxy the server is asked by any name.
    let outcome = mlt()
        .env("HTTP_PROXY", current().uri())
        .on("http://traces.test")
        .run("experiments");
    assert_snapshot!(outcome, @"
    --- stderr
    error: traces.test does not allow this: the text `Invalid Host header - possible DNS rebinding attack detected`
    hint: the server does not know itself by this name; see its --allowed-hosts
    --- exit 5
    ");
}
