//! Writing XML.

use crate::wire;
use std::fmt::Write;

/// A growing piece of XML.
#[derive(Default)]
pub struct Xml(pub String);

impl Xml {
    /// `<head>`; the head may have attributes.
    pub fn open(&mut self, head: &str) {
        self.push(&["<", head, ">"]);
    }

    /// `</name>`.
    pub fn close(&mut self, name: &str) {
        self.push(&["</", name, ">"]);
    }

    /// `<head>text</name>`, where the name is the first word of the head.
    pub fn leaf(&mut self, head: &str, text: &str) {
        let name = head.split(' ').next().unwrap_or_default();
        self.open(head);
        self.text(text);
        self.close(name);
    }

    /// `<name xsi:nil="true"/>`.
    pub fn nil(&mut self, name: &str) {
        self.push(&["<", name, " xsi:nil=\"true\"/>"]);
    }

    /// A value that may be missing.
    pub fn leaf_or_nil(&mut self, name: &str, text: Option<&str>) {
        match text {
            Some(text) => self.leaf(name, text),
            None => self.nil(name),
        }
    }

    /// Text.
    pub fn text(&mut self, text: &str) {
        wire::push_escaped(&mut self.0, text);
    }

    fn push(&mut self, parts: &[&str]) {
        for part in parts {
            // A string takes everything.
            let _ = self.0.write_str(part);
        }
    }
}
