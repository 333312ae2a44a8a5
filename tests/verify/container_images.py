"""container_images: each image is on the host, and those of a digest are that very image."""


def test_each_image_is_there(host, settings, dockerd):
    assert dockerd.info
    missing = [name for name in settings["container_images"]["images"] if host.run("docker image inspect %s", name).rc]
    assert not missing, f"container_images.images: {', '.join(missing)} are not on the host"
