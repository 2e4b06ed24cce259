// Package geo knows where postal codes and IP addresses are: great-circle
// distances, postal codes as coordinates, IP ranges as countries. The tables
// are built from rows that the shop brings; what is not in them is unknown.
package geo

import "math"

// EarthRadiusKM is the mean radius of the WGS 84 ellipsoid, (2a+b)/3
// (Moritz, Geodetic Reference System 1980, Journal of Geodesy 74, 2000).
const EarthRadiusKM = 6371.0088

// DistanceKM is the great-circle distance in km between two points in degrees,
// by the haversine formula (Sinnott, Virtues of the Haversine, Sky and
// Telescope 68, 1984). On the sphere it is exact; the ellipsoid differs by less than 0.6 %.
func DistanceKM(lat1, lon1, lat2, lon2 float64) float64 {
	const rad = math.Pi / 180
	sinLat := math.Sin((lat2 - lat1) * rad / 2)
	sinLon := math.Sin((lon2 - lon1) * rad / 2)
	h := sinLat*sinLat + math.Cos(lat1*rad)*math.Cos(lat2*rad)*sinLon*sinLon
	return 2 * EarthRadiusKM * math.Asin(math.Sqrt(min(h, 1)))
}

// validPoint reports whether the degrees are on Earth. 0,0 lies in the Gulf of Guinea
// and is what spreadsheets write for "not known".
func validPoint(lat, lon float64) bool {
	return lat >= -90 && lat <= 90 && lon >= -180 && lon <= 180 && (lat != 0 || lon != 0)
}
