"""Data sets and the batches that training reads from them.

A data set costs two files: conf/data/NAME.yaml, and a module here with one registered reader:

    @DATASETS.register("digits", fingerprint="digits-1500-297", needs_root=False, ...)
    def read_digits(data: Data) -> Arrays: ...

The reader gets the configuration's `data` section and returns `Arrays` (images that fit into
memory) or a `StreamedDataset` (image files that are read for every batch). It raises DataError for
a wrong file and ConfigError for a wrong key. The facts of a registration are literals:

    fingerprint  what enters the run id: a fixed string for a fixed set of images, "contents" (a
                 digest of every image below data.root) or "listing" (of their names and sizes)
    files        the dotted name of a function that takes the `data` section and returns the
                 `FileSet`, if the data set consists of published files; they are then downloaded
                 and verified before a sweep starts
    splits       the two subfolders of data.root, for the fingerprints "contents" and "listing"
    channels, side, classes
                 the shape, where it is known without the files (`make plan` and `make census` then
                 need no data); the side of streamed images is data.stream.crop
    needs_root   False if nothing is read from data.root, which may then be null (default True)
    resizable    True if data.size may be set (default False); `load_dataset` then resizes the
                 images, unless the reader has done so
    streamed     True if the reader returns a StreamedDataset (default False)
    checks_images
                 True if every image below data.root is decoded once before the first run starts,
                 so that all broken ones are reported together (default False)
"""
