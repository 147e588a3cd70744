// The compiled half of Asio and Beast: every other file is built with their SEPARATE_COMPILATION.
#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
