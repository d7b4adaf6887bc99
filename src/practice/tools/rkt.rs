//! `rkt fetch` and `rkt image list`.

use std::time::Duration;

use super::{Call, Exit};

pub(super) async fn run(call: &Call<'_>) -> Exit {
    match call.operands().as_slice() {
        ["fetch", image] => fetch(call, image).await,
        ["image", "list", ..] => {
            let images = call.machine(|machine| machine.images.clone());
            call.out("ID\t\t\tNAME\t\t\t\tSIZE\tIMPORT TIME\tLAST USED\n").await?;
            for image in images.keys() {
                call.out(format!("sha512-e86c1c7d1d7f\t{image}\t41MiB\tnow\t\tnow\n")).await?;
            }
            Ok(0)
        }
        _ => Ok(0),
    }
}

async fn fetch(call: &Call<'_>, image: &str) -> Exit {
    let tag = image.rsplit(':').next().unwrap_or_default();
    if call.machine(|machine| machine.images.contains_key(image)) {
        call.progress(format!("image: using image from local store for image name {image}")).await?;
        call.out("sha512-e86c1c7d1d7f3c2cc4a0b4d0dd1a8f3c\n").await?;
        return Ok(0);
    }
    call.progress(format!("image: searching for app image {image}")).await?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    if super::super::cluster::Release::parse(tag).is_none() {
        return call.fail("fetch: \"quay.io/coreos/etcd\": HTTP 404: tag not found", 1).await;
    }
    let url = format!("https://quay.io/c1/aci/quay.io/coreos/etcd/{tag}/aci/linux/amd64/");
    call.progress(format!("image: remote fetching from URL \"{url}\"")).await?;
    let whole = call.machine(|machine| machine.random.millis(2000..5000));
    for tenth in 1..=10 {
        tokio::time::sleep(whole / 10).await;
        let (done, size) = (12.2 * f64::from(tenth) / 10.0, 12.2);
        call.progress(format!("Downloading ACI: {done:.1} MB/{size:.1} MB")).await?;
    }
    call.progress("image: signature verified:\n  Quay.io ACI Converter (ACI conversion signing key) <support@quay.io>")
        .await?;
    call.machine(|machine| machine.images.insert(image.to_owned(), tag.trim_start_matches('v').to_owned()));
    call.out("sha512-e86c1c7d1d7f3c2cc4a0b4d0dd1a8f3c\n").await?;
    Ok(0)
}
