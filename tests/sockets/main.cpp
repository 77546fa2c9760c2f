#define BOOST_TEST_MODULE sockets
#include <boost/test/unit_test.hpp>
