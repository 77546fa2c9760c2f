# What is installed where, and the .deb made of it (cpack -G DEB).
include(GNUInstallDirs)

set(made ${PROJECT_BINARY_DIR}/package)
add_custom_command(
  OUTPUT ${made}/orbridge.1.gz ${made}/orbridge.bash ${made}/changelog.gz
  COMMAND ${CMAKE_COMMAND} -E make_directory ${made}
  COMMAND $<TARGET_FILE:orbridge> manual man > ${made}/orbridge.1
  COMMAND gzip -9nf ${made}/orbridge.1
  COMMAND $<TARGET_FILE:orbridge> manual bash > ${made}/orbridge.bash
  COMMAND gzip -9nc ${PROJECT_SOURCE_DIR}/CHANGELOG.md > ${made}/changelog.gz
  DEPENDS orbridge ${PROJECT_SOURCE_DIR}/CHANGELOG.md
  VERBATIM)
add_custom_target(package_files ALL DEPENDS ${made}/orbridge.1.gz ${made}/orbridge.bash ${made}/changelog.gz)

install(TARGETS orbridge RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY mappings/ DESTINATION ${CMAKE_INSTALL_DATADIR}/orbridge/mappings FILES_MATCHING PATTERN "*.yaml")
# Whatever is added to these folders is shipped; tests/e2e/test_package.py compares.
file(GLOB adapter_files CONFIGURE_DEPENDS adapters/*.yaml adapters/*/*.yaml)
install(FILES ${adapter_files} DESTINATION ${CMAKE_INSTALL_DATADIR}/orbridge/adapters)
install(FILES config/orbridge.schema.json config/adapter.schema.json deploy/exapp/exapp.yaml DESTINATION ${CMAKE_INSTALL_DATADIR}/orbridge)
install(FILES config/orbridge.yaml config/minimal.yaml DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs FILES_MATCHING PATTERN "*.md" PATTERN "api.yaml"
  PATTERN decisions EXCLUDE)

# Of a Debian system only: `cmake --install … --component system`, and the .deb.
set(system COMPONENT system EXCLUDE_FROM_ALL)
install(FILES ${made}/orbridge.1.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 ${system})
install(FILES ${made}/orbridge.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME orbridge
  ${system})
install(FILES ${made}/changelog.gz DESTINATION ${CMAKE_INSTALL_DOCDIR} ${system})
install(FILES deploy/systemd/orbridge.service deploy/systemd/orbridge.socket DESTINATION /lib/systemd/system ${system})
install(FILES deploy/systemd/orbridge.sysusers DESTINATION /usr/lib/sysusers.d RENAME orbridge.conf ${system})
install(FILES deploy/systemd/orbridge.yaml DESTINATION /etc/orbridge ${system}
  PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
install(DIRECTORY DESTINATION /etc/orbridge/secrets ${system} DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE
  GROUP_READ GROUP_EXECUTE)

set(CPACK_PACKAGE_NAME orbridge)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "orbridge maintainers")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "bridge from OpenRegister and Nextcloud events to Windmill and HTTP subscribers")
set(CPACK_PACKAGE_DESCRIPTION "Receives the events of OpenRegister and Nextcloud, makes each one durable, and delivers
 it with retries to Windmill scripts, integrations and leased HTTP subscribers.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_GENERATOR DEB)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL Unspecified system)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS ca-certificates)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "systemd, sqlite3")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  ${PROJECT_SOURCE_DIR}/deploy/deb/conffiles ${PROJECT_SOURCE_DIR}/deploy/deb/postinst
  ${PROJECT_SOURCE_DIR}/deploy/deb/prerm ${PROJECT_SOURCE_DIR}/deploy/deb/postrm)
include(CPack)
