package cli

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// roles are the roles that a user can have.
var roles = []string{"admin", "operator", "watcher"}

func (c *CLI) userCommand() *cobra.Command {
	return groupCommand("user", "Manage users and their roles",
		`A control bus that runs with --login requires its users to log in. A watcher can see everything, an operator can also run and schedule jobs, and an admin can do everything.`,
		c.userList(), c.userCreate(), c.userRoles(), c.userPassword(), c.userDelete())
}

func (c *CLI) userList() *cobra.Command {
	cmd := c.serverCommand("list", "List users with their roles", func(inv *invocation, _ []string) error {
		return showList(inv, func(c *client.Client, p client.Page) (rest.List[rest.User], error) { return c.Users(inv.ctx, p) }, drawUsers)
	})
	c.pageFlags(cmd)
	c.serverFlags(cmd)
	return cmd
}

func drawUsers(p *page, list rest.List[rest.User]) {
	t := newTable("USER", "ROLES", ">KEYS")
	for _, u := range list.Results {
		t.addRow(u.ID, rolesText(u.Roles), u.Keys)
	}
	drawList(p, t, list, "No users.")
}

// defaultApp stands for all applications in which a user has no other role.
const defaultApp = "default"

// rolesText returns the roles in one line: operator, admin in shop.
func rolesText(all map[string]string) string {
	var words []string
	if all[defaultApp] != "" {
		words = append(words, all[defaultApp])
	}
	for _, app := range slices.Sorted(maps.Keys(all)) {
		if app != defaultApp {
			words = append(words, all[app]+" in "+app)
		}
	}
	return strings.Join(words, ", ")
}

// roleFlags are the flags that set the roles of a user.
type roleFlags struct {
	role string
	in   []string
}

func (r *roleFlags) addFlags(cmd *cobra.Command, text string) {
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.StringVar(&r.role, "role", "", "`ROLE` role "+text+": admin, operator or watcher")
		f.StringArrayVar(&r.in, "in", nil, "`APP=ROLE` role in one application; APP= removes it; can be repeated")
	})
	completeFlag(cmd, "role", cobra.FixedCompletions(roles, cobra.ShellCompDirectiveNoFileComp))
}

// mergeRoles returns the roles of a user after the change by the flags.
func (r *roleFlags) mergeRoles(was map[string]string) (rest.NewRoles, error) {
	is := rest.NewRoles{Role: was[defaultApp], Roles: maps.Clone(was)}
	if is.Roles == nil {
		is.Roles = map[string]string{}
	}
	delete(is.Roles, defaultApp)
	if r.role != "" {
		is.Role = r.role
	}
	if !slices.Contains(roles, is.Role) {
		return is, usageErrorf("--role %q: want %s", is.Role, strings.Join(roles, ", "))
	}
	for _, one := range r.in {
		app, role, ok := strings.Cut(one, "=")
		switch {
		case !ok || app == "" || app == defaultApp || role != "" && !slices.Contains(roles, role):
			return is, usageErrorf("--in %s: want an application other than %s with one of %s, such as shop=operator", one, defaultApp, strings.Join(roles, ", "))
		case role == "":
			delete(is.Roles, app)
		default:
			is.Roles[app] = role
		}
	}
	return is, nil
}

func (c *CLI) userCreate() *cobra.Command {
	var fromInput bool
	var want roleFlags
	cmd := c.serverCommand("create USER", "Create a user", func(inv *invocation, args []string) error {
		is, err := want.mergeRoles(nil)
		if err != nil {
			return err
		}
		inv.warnOfPlainText(inv.client.URL())
		password, err := inv.readPassword(args[0], fromInput, true)
		if err != nil {
			return err
		}
		if err := inv.client.NewUser(inv.ctx, rest.NewUser{ID: args[0], Password: password, Role: is.Role, Roles: is.Roles}); err != nil {
			return err
		}
		fmt.Fprintf(inv.Out, "User %s was created: %s.\n", args[0], rolesText(withDefault(is)))
		return nil
	})
	cmd.Example = `  jobstreamer user create ann --role operator --in billing=admin
  head -c 18 /dev/urandom | base64 | tee password | jobstreamer user create ci --role operator --password-stdin`
	want.addFlags(cmd, "in all applications except those of --in")
	passwordFlag(cmd, &fromInput)
	c.serverFlags(cmd)
	return cmd
}

func withDefault(r rest.NewRoles) map[string]string {
	all := maps.Clone(r.Roles)
	if all == nil {
		all = map[string]string{}
	}
	all[defaultApp] = r.Role
	return all
}

func (c *CLI) userRoles() *cobra.Command {
	var want roleFlags
	cmd := c.serverCommand("roles [USER]", "Show or change the roles of a user", func(inv *invocation, args []string) error {
		if len(args) == 0 {
			if want.role != "" || len(want.in) > 0 {
				return usageErrorf("no user given; name the user whose roles are to change")
			}
			return inv.ownRoles()
		}
		user, err := inv.findUser(args[0])
		if err != nil {
			return err
		}
		if want.role == "" && len(want.in) == 0 {
			fmt.Fprintf(inv.Out, "%s is %s.\n", user.ID, rolesText(user.Roles))
			return nil
		}
		is, err := want.mergeRoles(user.Roles)
		if err != nil {
			return err
		}
		if user, err = inv.client.SetRoles(inv.ctx, user.ID, is); err != nil {
			return err
		}
		fmt.Fprintf(inv.Out, "%s is %s now.\n", user.ID, rolesText(user.Roles))
		return nil
	})
	cmd.Long = `Shows the roles of a user, by default your own. --role and --in change them immediately; roles that are not named are kept. The last admin
cannot lose that role.`
	cmd.Example = `  jobstreamer user roles
  jobstreamer user roles ann --role watcher --in billing=admin --in shop=`
	want.addFlags(cmd, "in all applications except those with a role of their own")
	c.serverFlags(cmd)
	return cmd
}

func (inv *invocation) ownRoles() error {
	a, err := inv.client.Account(inv.ctx)
	if err != nil {
		return err
	}
	all := map[string]string{}
	for app, is := range a.Applications {
		all[app] = strings.Join(is.Roles, ", ")
	}
	fmt.Fprintf(inv.Out, "You are %s: %s.\n", a.ID, rolesText(all))
	return nil
}

// findUser finds a user in the list of users, because the API cannot return a
// single one.
func (inv *invocation) findUser(id string) (*rest.User, error) {
	all, err := allPages(func(p client.Page) (rest.List[rest.User], error) { return inv.client.Users(inv.ctx, p) })
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].ID == id {
			return &all[i], nil
		}
	}
	return nil, errors.New(joinLines("there is no user "+id, "See what exists with `"+inv.serverCommandLine("user list")+"`."))
}

func (c *CLI) userPassword() *cobra.Command {
	var fromInput bool
	cmd := c.serverCommand("password [USER]", "Change a password, by default your own", func(inv *invocation, args []string) error {
		me, err := inv.client.Account(inv.ctx)
		if err != nil {
			return err
		}
		user := append(args, me.ID)[0]
		inv.warnOfPlainText(inv.client.URL())
		change, err := inv.readNewPassword(user, user == me.ID, fromInput)
		if err != nil {
			return err
		}
		if err := inv.client.SetPassword(inv.ctx, user, change); err != nil {
			return err
		}
		fmt.Fprintf(inv.Out, "The password of %s was changed; their other logins have ended. Keys stay valid.\n", user)
		return nil
	})
	cmd.Long = `Changes a password and ends the other logins of the user. For your own password the present one is needed; admins can set the passwords of others. Keys
stay valid until they are revoked.

The command asks for the passwords without showing them. With --password-stdin it reads them from standard input: for your own password two lines, the present
one and the new one.`
	cmd.Example = `  jobstreamer user password
  jobstreamer user password ann
  printf '%s\n%s\n' "$OLD" "$NEW" | jobstreamer user password --password-stdin`
	passwordFlag(cmd, &fromInput)
	c.serverFlags(cmd)
	return cmd
}

func (c *CLI) userDelete() *cobra.Command {
	var sure bool
	cmd := c.serverCommand("delete USER", "Delete a user with their logins and keys", func(inv *invocation, args []string) error {
		if err := inv.confirm(sure, "Delete the user "+args[0]+" with their logins and keys?"); err != nil {
			return err
		}
		if err := inv.client.DeleteUser(inv.ctx, args[0]); err != nil {
			return err
		}
		inv.printDone("User %s was deleted.\n", args[0])
		return nil
	})
	yesFlag(cmd, &sure)
	c.serverFlags(cmd)
	return cmd
}
