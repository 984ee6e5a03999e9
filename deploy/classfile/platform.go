package classfile

import "strings"

// platformPackages lists the packages of the JVM and of the batch runtime. It
// does not have all of javax: an application that extends a servlet must
// include the servlet API.
var platformPackages = []string{
	"java/", "jdk/", "sun/", "netscape/javascript/", "org/ietf/jgss/", "org/w3c/dom/", "org/xml/sax/",
	"com/sun/jarsigner/", "com/sun/java/accessibility/", "com/sun/jdi/", "com/sun/management/", "com/sun/net/httpserver/",
	"com/sun/nio/", "com/sun/security/", "com/sun/source/", "com/sun/tools/",
	"javax/accessibility/", "javax/annotation/", "javax/crypto/", "javax/imageio/", "javax/lang/model/", "javax/management/",
	"javax/naming/", "javax/net/", "javax/print/", "javax/rmi/ssl/", "javax/script/", "javax/security/auth/",
	"javax/security/cert/", "javax/security/sasl/", "javax/smartcardio/", "javax/sound/", "javax/sql/", "javax/swing/",
	"javax/tools/", "javax/transaction/", "javax/xml/catalog/", "javax/xml/crypto/", "javax/xml/datatype/",
	"javax/xml/namespace/", "javax/xml/parsers/", "javax/xml/stream/", "javax/xml/transform/", "javax/xml/validation/",
	"javax/xml/xpath/",

	"javax/batch/", "javax/enterprise/", "javax/inject/",
	"jakarta/batch/", "jakarta/enterprise/", "jakarta/inject/", "jakarta/transaction/", "jakarta/annotation/",
}

// oddThrowables are the throwables of the platform whose names do not end in
// Exception or Error.
var oddThrowables = map[string]bool{
	"java/lang/Throwable": true, "java/lang/ThreadDeath": true, "java/sql/DataTruncation": true,
	"java/sql/SQLWarning": true, "javax/sql/rowset/RowSetWarning": true,
}

// ofPlatform returns the mask of a name that is not on the class path.
func ofPlatform(name string) mask {
	if !hasPrefix(name, platformPackages) {
		return ancestorMissing
	}
	if strings.HasSuffix(name, "Exception") || strings.HasSuffix(name, "Error") || oddThrowables[name] {
		return isThrowable
	}
	return 0
}

// foreignPackages never contain classes of an application.
var foreignPackages = []string{"java/", "javax/", "jakarta/", "sun/", "com/sun/"}

func hasPrefix(name string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}
