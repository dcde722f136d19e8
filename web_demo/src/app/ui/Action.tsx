import type { ReactNode } from "react";
import { Button, type ButtonProps } from "react-aria-components";

type Look = "filled" | "tonal" | "plain" | "icon";

interface Props extends Omit<ButtonProps, "className" | "children"> {
    look: Look;
    icon?: ReactNode;
    children?: ReactNode;
    className?: string;
}

/** The page's one kind of button, in four looks. */
export function Action({ look, icon, children, className = "", ...rest }: Props) {
    return (
        <Button {...rest} className={`button button--${look} ${className}`}>
            {icon}
            {children}
        </Button>
    );
}
