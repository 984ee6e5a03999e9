package jetio

import "encoding/base64"

// The prefixes of the broker's own subjects and streams.
const (
	kvPrefix           = "$KV."
	bucketStreamPrefix = "KV_"
	objectPrefix       = "$O."
	objectStreamPrefix = "OBJ_"
)

// KeySubject returns the subject of a key in its bucket's stream. The key may
// be a filter, such as ">".
func KeySubject(bucket, key string) string { return kvPrefix + bucket + "." + key }

// BucketStream returns the name of the stream behind a bucket. With a prefix of
// a bucket's name it returns the prefix of the stream's.
func BucketStream(bucket string) string { return bucketStreamPrefix + bucket }

// ObjectStream returns the name of an object store's stream. With a prefix of a
// store's name it returns the prefix of the stream's.
func ObjectStream(store string) string { return objectStreamPrefix + store }

// ChunkSubject returns the subject of an object's chunks; nuid is the object's
// unique id, or ">" for all objects.
func ChunkSubject(store, nuid string) string { return objectPrefix + store + ".C." + nuid }

// MetaSubject returns the subject of an object's metadata.
func MetaSubject(store, name string) string {
	return objectPrefix + store + ".M." + base64.URLEncoding.EncodeToString([]byte(name))
}

// AllMeta returns the filter for the metadata of all objects of a store.
func AllMeta(store string) string { return objectPrefix + store + ".M.>" }

// APISubject returns the subject of a request to JetStream, such as
// STREAM.NAMES.
func APISubject(request string) string { return "$JS.API." + request }

// PullSubject returns the subject on which a consumer is asked for messages.
func PullSubject(stream, consumer string) string {
	return APISubject("CONSUMER.MSG.NEXT." + stream + "." + consumer)
}

// AckSubject returns the prefix of the subjects on which messages of a stream
// are acknowledged.
func AckSubject(stream string) string { return "$JS.ACK." + stream }

// DirectGetSubject returns the prefix of the subjects on which the last message
// of a subject of the stream is read.
func DirectGetSubject(stream string) string { return APISubject("DIRECT.GET." + stream) }
