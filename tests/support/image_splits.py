"""The name of the test split in each kind of image folder."""

TEST_SPLITS = {"image_folder": "test", "imagenet": "val"}
