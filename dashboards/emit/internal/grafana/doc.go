// Package grafana translates what both dashboard schemas share: the options of the panel plugins, field configuration,
// transformations, queries and addresses of links. Together with the two emitters it is all that imports the Foundation
// SDK. It uses the SDK's structs and not its builders: those leave some fields at values that the SDK's own schema
// refuses (stat orientation "", heatmap tooltip mode "", table footer reducer null), and set others that cannot be
// cleared. Everything here is pure.
package grafana
