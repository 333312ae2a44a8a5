"""container_images: each image is on the host, and those of a digest are that very image."""

from provision.verify.dockerd import CLIENT


def test_each_image_is_there(host, settings, dockerd):
    assert dockerd.info
    asked = settings["container_images"]["images"]
    missing = [name for name in asked if host.run(f"{CLIENT} image inspect %s", name).rc]
    assert not missing, f"container_images.images: {', '.join(missing)} are not on the host"
