module go-fcgi

go 1.19
