//! Things in the order of their texts. Texts of one place are mostly alike at first, so they are compared by eight bytes after what
//! all have in common, and looked at only when these are equal.

/// The second of each pair, in the order of the texts and among equal texts in their own.
pub(super) fn sorted<'t>(texts: impl Iterator<Item = (&'t str, u32)>) -> Vec<u32> {
    let mut texts: Vec<(u64, &str, u32)> = texts.map(|(text, of)| (0, text, of)).collect();
    let first = texts.first().map_or(&[][..], |(_, text, _)| text.as_bytes());
    let common = texts.iter().fold(first.len(), |common, (_, text, _)| {
        let alike = first[..common].iter().zip(text.as_bytes()).take_while(|(a, b)| a == b);
        alike.count()
    });
    for (key, text, _) in &mut texts {
        *key = beginning(text.as_bytes().get(common..).unwrap_or_default());
    }
    texts.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.cmp(b.1)).then(a.2.cmp(&b.2)));
    texts.into_iter().map(|(_, _, of)| of).collect()
}

/// The first eight bytes as a number; the order of texts with different ones is theirs.
fn beginning(bytes: &[u8]) -> u64 {
    let mut eight = [0; 8];
    eight.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    u64::from_be_bytes(eight)
}
